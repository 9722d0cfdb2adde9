import { mockServices } from '@backstage/backend-test-utils';
import type { Build } from '@rocket/plugin-ci-registry-common';
import { FakeLedger } from '../__testUtils__/fakeLedger';
import type { ServiceRecord } from '../service/ServiceStore';
import type { OperationRecord } from './OperationStore';
import { ServiceImages } from './ServiceImages';
import { RotateHandler, ScaleHandler } from './dayTwoKinds';
import { DeployHandler, RollbackHandler } from './serviceKinds';
import { ServiceTargets } from './ServiceTargets';

const SUBJECT = 'component:default/pay-api';
const OLD = 'a'.repeat(40);
const NEW = 'b'.repeat(40);
const IMAGE = `registry.example.com/pay-api@sha256:${'1'.repeat(64)}`;

const record = {
  name: 'pay-api-staging',
  entityRef: SUBJECT,
  owner: 'group:default/ledger',
  repository: 'pay-repo',
  criticalPath: 'posting',
  runtime: 'containers',
  environment: 'staging',
  desired: 'running',
  runningCommit: OLD,
  deployCommit: OLD,
  state: 'healthy',
  replicas: 2,
} as ServiceRecord;

function setUp(
  options: {
    records?: ServiceRecord[];
    builds?: Partial<Build>[];
    abilities?: { scale: boolean; rotate: boolean };
  } = {},
) {
  const ledger = new FakeLedger();
  const records = options.records ?? [record];
  const listBuilds = jest.fn(async () => ({
    items: (options.builds ?? []) as Build[],
  }));
  const services = {
    abilities: async () => options.abilities ?? { scale: true, rotate: true },
    find: jest.fn(async () => undefined as never),
    rotate: jest.fn(async () => {}),
    scale: jest.fn(async () => {}),
    versions: async () => [
      { commit: OLD, healthyAt: 'then' },
      { commit: NEW, image: IMAGE, healthyAt: 'before' },
    ],
  };
  const deps = {
    ledger: ledger as never,
    services,
    host: { resolve: async () => NEW },
    images: new ServiceImages({
      registry: { listBuilds },
      auth: mockServices.auth(),
    }),
    targets: new ServiceTargets({
      ledger: ledger as never,
      services: { list: async () => records },
      environments: {
        find: async name =>
          ['staging', 'local'].includes(name)
            ? {
                name,
                runtime: name === 'local' ? 'local' : 'containers',
                tier: 'staging' as const,
                settings: {},
              }
            : undefined,
      },
    }),
  };
  return { deps, ledger, listBuilds, services };
}

const request = (kind: string, input: object, environment = 'staging') =>
  ({ kind, subject: SUBJECT, environment, input } as never);

const build = (changes: Partial<Build>): Partial<Build> => ({
  outcome: 'succeeded',
  artifacts: [
    {
      type: 'container-image',
      name: 'registry.example.com/pay-api',
      digest: `sha256:${'1'.repeat(64)}`,
    },
  ],
  ...changes,
});

const context = {
  signal: new AbortController().signal,
  actor: { name: 'user:default/alice' },
  now: 0,
};

describe('deploy', () => {
  it('takes the image of the build that succeeded, and hands it on as planned', async () => {
    const { deps, ledger, listBuilds } = setUp({
      builds: [
        build({ outcome: 'failed', artifacts: [] }),
        build({ artifacts: [] }),
        build({}),
      ],
    });
    const handler = new DeployHandler(deps);
    const plan = await handler.plan(request('deploy', { ref: 'main' }));
    expect(listBuilds).toHaveBeenCalledWith(
      { component: SUBJECT, commit: NEW },
      expect.anything(),
    );
    expect(plan).toMatchObject({
      owners: ['group:default/ledger'],
      environments: ['staging'],
      steps: [
        {
          id: `version/${NEW}/${IMAGE}`,
          change: 'change',
          detail: expect.stringContaining(IMAGE),
        },
      ],
    });
    const result = await handler.run(
      {
        id: 'op-1',
        kind: 'deploy',
        subject: SUBJECT,
        environment: 'staging',
      } as OperationRecord,
      plan.steps[0] as never,
      context,
    );
    expect(result.outcome).toBe('done');
    expect([...ledger.effects.values()]).toMatchObject([
      {
        type: 'containers.service',
        reference: 'pay-api-staging',
        environment: 'staging',
        run: 'operation:op-1',
        intent: {
          repository: 'pay-repo',
          commit: NEW,
          criticalPath: 'posting',
          image: IMAGE,
        },
      },
    ]);
  });

  it('says what is missing: an image, a repository, an environment', async () => {
    const { deps } = setUp({ builds: [build({ outcome: 'running' })] });
    const handler = new DeployHandler(deps);
    await expect(handler.plan(request('deploy', {}))).rejects.toThrow(
      /No pipeline registered an image of component:default\/pay-api at bbbbbbbbbbbb/,
    );
    await expect(
      handler.plan(request('deploy', {}, 'nowhere')),
    ).rejects.toThrow(/no environment 'nowhere'/);
    expect(() => handler.parseInput({ image: 'pay-api:latest' })).toThrow(
      /input\.image: must be an image by digest/,
    );
    const none = setUp({ records: [] });
    await expect(
      new DeployHandler(none.deps).plan(request('deploy', {}, 'local')),
    ).rejects.toThrow(/neither a service nor a repository/);
    // A repository is enough; the local runtime needs no image.
    none.ledger.add('git.repository', { reference: 'pay-repo' });
    const plan = await new DeployHandler(none.deps).plan(
      request('deploy', {}, 'local'),
    );
    expect(plan.steps).toMatchObject([
      { id: `version/${NEW}`, change: 'create' },
    ]);
  });

  it('does not try a broken version again, but what was in the way', async () => {
    const { deps, ledger, services } = setUp();
    const handler = new DeployHandler(deps);
    const run = () =>
      handler.run(
        {
          id: 'op',
          kind: 'deploy',
          subject: SUBJECT,
          environment: 'staging',
        } as OperationRecord,
        { id: `version/${NEW}` } as never,
        context,
      );
    ledger.failures.set('pay-api-staging', [
      new Error('did not come up'),
      new Error('away'),
    ]);
    services.find.mockResolvedValueOnce({
      deployment: { commit: NEW, status: 'failed', message: 'exit code 3' },
    } as never);
    await expect(run()).rejects.toMatchObject({
      name: 'InputError',
      message: 'exit code 3',
    });
    await expect(run()).rejects.toMatchObject({ name: 'Error' });
  });
});

it('rolls back to what was healthy, with its image', async () => {
  const handler = new RollbackHandler(setUp().deps);
  const plan = await handler.plan(request('rollback', { commit: NEW }));
  expect(plan.steps[0].id).toBe(`version/${NEW}/${IMAGE}`);
  await expect(
    handler.plan(request('rollback', { commit: 'c'.repeat(40) })),
  ).rejects.toThrow(
    /never ran this version; it ran aaaaaaaaaaaa, bbbbbbbbbbbb/,
  );
  expect(() => handler.parseInput({})).toThrow(/input\.commit/);
});

describe.each([
  [ScaleHandler, 'scale', { replicas: 3 }],
  [RotateHandler, 'rotate', {}],
] as const)('%p', (Handler, kind, input) => {
  it('changes what runs', async () => {
    const { deps, services } = setUp();
    const handler = new Handler(deps);
    const plan = await handler.plan(request(kind, input));
    expect(plan.steps).toMatchObject([{ change: 'change' }]);
    await handler.run(
      { subject: SUBJECT, environment: 'staging', input } as never,
      plan.steps[0] as never,
      context,
    );
    expect(services[kind]).toHaveBeenCalledTimes(1);
    expect((services[kind].mock.calls as unknown[][])[0][0]).toBe(
      'pay-api-staging',
    );
  });

  it('is refused clearly where the runtime cannot, or nothing runs', async () => {
    const plan = (options: Parameters<typeof setUp>[0]) =>
      new Handler(setUp(options).deps).plan(request(kind, input));
    await expect(
      plan({ abilities: { scale: false, rotate: false } }),
    ).rejects.toMatchObject({
      name: 'NotImplementedError',
      message: expect.stringMatching(/The runtime 'containers' cannot/),
    });
    await expect(
      plan({ records: [{ ...record, desired: 'stopped' }] }),
    ).rejects.toThrow(/is stopped; start it first/);
    await expect(
      plan({ records: [{ ...record, runningCommit: undefined }] }),
    ).rejects.toThrow(/deploy one first/);
  });
});
