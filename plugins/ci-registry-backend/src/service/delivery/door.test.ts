import { createServiceFactory } from '@backstage/backend-plugin-api';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import {
  criticalPathsServiceRef,
  type CriticalPathsService,
} from '@rocket/plugin-critical-paths-node';
import request from 'supertest';
import { ciRegistryPlugin } from '../../plugin';

const LEDGER = 'component:default/ledger';
const START = '2026-11-01T10:00:00.000Z';
const END = '2026-11-01T10:03:00.000Z';

async function start() {
  const recordChange = jest.fn(async () => {});
  const { server } = await startTestBackend({
    features: [
      ciRegistryPlugin,
      mockServices.auditor.mock().factory,
      mockServices.events.mock().factory,
      catalogServiceMock.factory({ entities: [] }),
      createServiceFactory({
        service: criticalPathsServiceRef,
        deps: {},
        factory: () => ({ recordChange } as unknown as CriticalPathsService),
      }),
      mockServices.rootConfig.factory({ data: {} }),
    ],
  });
  const push = (body: object, source = {}) =>
    request(server)
      .post('/api/ci-registry/pushes')
      .send({
        source: {
          repository: 'acme/ledger',
          commit: 'a'.repeat(40),
          pipeline: 'run/1',
          time: END,
          ...source,
        },
        ...body,
      });
  const get = async (path: string) =>
    (await request(server).get(`/api/ci-registry${path}`).expect(200)).body;
  return { get, push, recordChange };
}

const deployment = {
  id: 'd1',
  component: LEDGER,
  environment: 'production',
  version: '1.4.2',
  startedAt: START,
  finishedAt: END,
  outcome: 'succeeded',
};

it('takes entities, a build and a deployment in one push and shows them', async () => {
  const { get, push, recordChange } = await start();
  const body = {
    entities: [
      {
        apiVersion: 'backstage.io/v1alpha1',
        kind: 'Component',
        metadata: { name: 'ledger' },
        spec: { type: 'service', lifecycle: 'production', owner: 'money' },
      },
    ],
    builds: [{ component: 'ledger', outcome: 'succeeded', finishedAt: START }],
    deployments: [deployment],
  };
  const first = await push(body).expect(200);
  expect(first.body).toMatchObject({
    builds: [{ component: LEDGER, outcome: 'created' }],
    deployments: [{ id: 'd1', component: LEDGER, outcome: 'created' }],
  });
  const again = await push(body).expect(200);
  expect(again.body).toMatchObject({
    entities: [{ outcome: 'unchanged' }],
    builds: [{ outcome: 'unchanged' }],
    deployments: [{ outcome: 'unchanged' }],
  });

  const { id } = first.body.builds[0];
  expect(await get(`/builds/${id}`)).toMatchObject({ outcome: 'succeeded' });
  expect((await get('/deployments?component=ledger')).items).toMatchObject([
    { id: 'd1', version: '1.4.2', outcome: 'succeeded' },
  ]);
  expect((await get('/versions?component=ledger')).items).toMatchObject([
    { environment: 'production', since: END, build: { id } },
  ]);
  expect((await get('/freshness?entityRef=ledger')).items).toMatchObject([
    {
      entityRef: LEDGER,
      state: 'fresh',
      owner: 'group:default/money',
      lastChangedCommit: 'a'.repeat(40),
    },
  ]);
  // Told after the commit, once; nobody waits for it.
  while (recordChange.mock.calls.length === 0) {
    await new Promise(resolve => setImmediate(resolve));
  }
  expect(recordChange).toHaveBeenCalledTimes(1);
  expect(recordChange).toHaveBeenCalledWith(
    expect.objectContaining({ entityRef: LEDGER, version: '1.4.2' }),
    expect.anything(),
  );
});

it('stores nothing of a push of which one part is wrong', async () => {
  const { get, push } = await start();
  const refused = await push({
    builds: [{ component: 'ledger' }],
    deployments: [
      {
        ...deployment,
        startedAt: '2999-01-01T00:00:00Z',
        finishedAt: '2999-01-01T00:01:00Z',
      },
    ],
  }).expect(400);
  expect(refused.body.error.message).toContain('deployments.0.startedAt');
  await push({ deployments: [{ ...deployment, finishedAt: undefined }] })
    .expect(400)
    .expect(({ body }) =>
      expect(body.error.message).toContain('deployments.0.finishedAt'),
    );
  expect((await get('/builds')).items).toEqual([]);

  await push({ deployments: [deployment] }).expect(200);
  // The environment of a known id is wrong: the build beside it is not stored either.
  await push({
    builds: [{ component: 'ledger' }],
    deployments: [{ ...deployment, environment: 'staging' }],
  }).expect(400);
  expect((await get('/builds')).items).toEqual([]);
  const foreign = await push(
    { deployments: [{ ...deployment, id: 'd2' }] },
    { repository: 'evil/fork' },
  ).expect(409);
  expect(foreign.body.error.message).toContain('belongs to acme/ledger');
});
