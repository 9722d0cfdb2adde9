import {
  mockCredentials,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import request from 'supertest';
import { stringify } from 'yaml';
import { ciRegistryPlugin } from '../../plugin';

jest.setTimeout(60_000);

const API = 'api:default/ledger-api';
const VERSIONS = '/api/ci-registry/documents/default/ledger-api/versions';
const sha = (n: number) => String(n).repeat(40);

function component(name: string, spec: object = {}): Entity {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name },
    spec: {
      type: 'service',
      lifecycle: 'production',
      owner: 'money',
      system: 'core',
      providesApis: ['ledger-api'],
      ...spec,
    },
  };
}

function openapi(properties: string[], title = 'Ledger'): string {
  return stringify({
    openapi: '3.1.0',
    info: { title, version: '1' },
    paths: {
      '/v1/accounts': {
        get: {
          responses: {
            200: {
              description: 'ok',
              content: {
                'application/json': {
                  schema: {
                    type: 'object',
                    required: properties,
                    properties: Object.fromEntries(
                      properties.map(name => [name, { type: 'string' }]),
                    ),
                  },
                },
              },
            },
          },
        },
      },
    },
  });
}

async function start(config: object = {}) {
  const { server } = await startTestBackend({
    features: [
      ciRegistryPlugin,
      catalogServiceMock.factory({
        entities: [
          component('from-catalog', { owner: 'group:default/edge' }),
          ...['Group', 'System'].flatMap(kind =>
            ['money', 'edge', 'core'].map(name => ({
              apiVersion: 'backstage.io/v1alpha1',
              kind,
              metadata: { name, namespace: 'default' },
            })),
          ),
        ],
      }),
      mockServices.rootConfig.factory({ data: { ciRegistry: config } }),
    ],
  });
  const send = (
    path: string,
    { entities, documents, commit = 1, minute = commit, repository }: any,
  ) =>
    request(server)
      .post(`/api/ci-registry/${path}`)
      .send({
        source: {
          repository: repository ?? 'https://git.example.com/acme/ledger',
          commit: sha(commit),
          pipeline: `https://ci/${commit}`,
          time: new Date(Date.UTC(2026, 10, 1, 10, minute)).toISOString(),
        },
        ...(entities && { entities }),
        documents: [documents].flat().map((document: any) => ({
          api: API,
          component: 'component:default/ledger',
          format: 'openapi',
          ...document,
        })),
      });
  const push = (body: object) => send('pushes', body);
  const validate = (body: object) => send('validate', body);
  const entity = async () =>
    (
      await request(server)
        .get('/api/ci-registry/entities/api/default/ledger-api')
        .expect(200)
    ).body.entity as Entity;
  return { server, push, validate, entity };
}

describe('a pushed API document', () => {
  it('appears as an API of the component that provides it, version by version', async () => {
    const { server, push, entity } = await start();
    const first = openapi(['id', 'balance']);
    const created = await push({
      entities: [component('ledger')],
      documents: { definition: first },
    }).expect(200);
    expect(created.body).toMatchObject({
      entities: [
        { entityRef: 'component:default/ledger', outcome: 'created' },
        { entityRef: API, outcome: 'created' },
      ],
      documents: [
        {
          api: API,
          outcome: 'created',
          version: { version: 1, format: 'openapi', changes: null },
        },
      ],
      warnings: [],
    });
    expect(await entity()).toMatchObject({
      kind: 'API',
      metadata: { name: 'ledger-api', title: 'Ledger' },
      spec: {
        type: 'openapi',
        lifecycle: 'production',
        owner: 'group:default/money',
        system: 'system:default/core',
        definition: first,
      },
    });

    // The component is known from now on. Clients lose `balance`.
    const second = openapi(['id', 'posted']);
    const updated = await push({
      commit: 2,
      documents: { definition: second },
    }).expect(200);
    const broken = {
      severity: 'breaking',
      location: 'GET /v1/accounts › 200 › balance',
      message: expect.stringContaining('Removed property'),
    };
    const [document] = updated.body.documents;
    expect(document).toMatchObject({ outcome: 'updated' });
    expect(document.version).toMatchObject({ version: 2, commit: sha(2) });
    expect(document.version.changes).toContainEqual(broken);
    expect(updated.body.warnings).toContainEqual(
      expect.stringMatching(
        /^documents\.0\.definition: breaks clients of version 1: .*balance/,
      ),
    );
    expect((await entity()).spec!.definition).toBe(second);

    const versions = await request(server).get(VERSIONS).expect(200);
    expect(versions.body.items).toEqual([
      document.version,
      created.body.documents[0].version,
    ]);
    const text = await request(server).get(`${VERSIONS}/1`).expect(200);
    expect(text.text).toBe(first);
    expect(text.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(text.headers['x-content-type-options']).toBe('nosniff');
  });

  it('changes nothing when it is pushed again, and never goes back to an older one', async () => {
    const { server, push, entity } = await start();
    const outcome = async (body: object) => {
      const answer = await push(body).expect(200);
      const [document] = answer.body.documents;
      return [document.outcome, document.version.version];
    };
    const one = openapi(['id']);
    const two = openapi(['id', 'more']);
    const entities = [component('ledger')];
    const definition = (text: string) => ({ definition: text });
    expect(await outcome({ entities, documents: definition(one) })).toEqual([
      'created',
      1,
    ]);
    expect(await outcome({ entities, documents: definition(one) })).toEqual([
      'unchanged',
      1,
    ]);
    expect(await outcome({ commit: 3, documents: definition(one) })).toEqual([
      'unchanged',
      1,
    ]);
    // Commit 3 had the old text still, so what commit 2 says is older.
    expect(await outcome({ commit: 2, documents: definition(two) })).toEqual([
      'superseded',
      1,
    ]);
    expect(await outcome({ commit: 4, documents: definition(two) })).toEqual([
      'updated',
      2,
    ]);
    expect(await outcome({ commit: 5, documents: definition(one) })).toEqual([
      'updated',
      3,
    ]);
    const { body } = await request(server).get(VERSIONS).expect(200);
    expect(body.items.map((item: any) => item.changes?.[0].severity)).toEqual([
      'breaking',
      'compatible',
      undefined,
    ]);
    expect((await entity()).spec!.definition).toBe(one);
  });

  it('fills an API that is pushed with it, and leaves the rest of that one alone', async () => {
    const { push, entity } = await start();
    const definition = openapi(['id']);
    const answer = await push({
      entities: [
        component('ledger'),
        {
          apiVersion: 'backstage.io/v1alpha1',
          kind: 'API',
          metadata: { name: 'ledger-api', description: 'Ours', tags: ['a'] },
          spec: {
            type: 'other',
            lifecycle: 'experimental',
            owner: 'other',
            definition: 'to be replaced',
          },
        },
      ],
      documents: { definition },
    }).expect(200);
    expect(answer.body.entities).toHaveLength(2);
    expect(await entity()).toMatchObject({
      metadata: { description: 'Ours', tags: ['a'] },
      spec: { type: 'openapi', lifecycle: 'experimental', definition },
    });
  });

  it('may be provided by a component that the catalog has from elsewhere', async () => {
    const { push, entity } = await start();
    await push({
      documents: {
        component: 'component:default/from-catalog',
        definition: 'type Query { a: Int }',
        format: 'graphql',
      },
    }).expect(200);
    expect((await entity()).spec).toMatchObject({
      type: 'graphql',
      owner: 'group:default/edge',
    });
  });

  it('keeps as many versions as are configured', async () => {
    const { server, push } = await start({ documents: { versions: 2 } });
    const entities = [component('ledger')];
    for (const commit of [1, 2, 3]) {
      const definition = openapi(['id', `p${commit}`]);
      await push({ entities, commit, documents: { definition } }).expect(200);
    }
    const { body } = await request(server).get(VERSIONS).expect(200);
    expect(body.items.map((item: any) => item.version)).toEqual([3, 2]);
    await request(server).get(`${VERSIONS}/1`).expect(404);
  });
});

describe('is refused, and nothing is stored', () => {
  it.each<[string, object, number, RegExp]>([
    [
      'with a reference to elsewhere',
      {
        definition: openapi(['id']).replace(
          'type: object',
          '$ref: http://169.254.169.254/',
        ),
      },
      400,
      /documents\.0\.definition: .*http:\/\/169\.254\.169\.254\/.*never fetched/,
    ],
    [
      'when it is no OpenAPI',
      { definition: 'a: 1' },
      400,
      /documents\.0\.definition: must have openapi/,
    ],
    [
      'when it is too large',
      { definition: openapi(['x'.repeat(5_000)]) },
      400,
      /documents\.0\.definition: has \d+ bytes, 4000 are allowed/,
    ],
    [
      'of a component that nobody knows',
      { definition: openapi(['id']), component: 'component:default/nobody' },
      400,
      /documents\.0\.component: component:default\/nobody is not known/,
    ],
    [
      'in a reserved namespace',
      { definition: openapi(['id']), api: 'api:rocket/x' },
      400,
      /rocket/,
    ],
    [
      'of another kind',
      { definition: openapi(['id']), api: 'component:default/x' },
      400,
      /documents\.0\.api.*kind api/,
    ],
  ])('%s', async (_what, document, status, message) => {
    const { server, push, validate } = await start({
      documents: { maxBytes: 4_000 },
    });
    const body = { entities: [component('ledger')], documents: document };
    const answer = await push(body).expect(status);
    expect(answer.body.error.message).toMatch(message);
    await request(server).get(VERSIONS).expect(404);
    await request(server)
      .get('/api/ci-registry/history/component/default/ledger')
      .expect(404);
    // The same before a push; what has not even the shape is refused there too.
    const looked = await validate(body);
    expect(looked.status === 400 || looked.body.valid === false).toBe(true);
  });

  it('twice in one push, and from another repository', async () => {
    const { server, push } = await start();
    const definition = openapi(['id']);
    const entities = [component('ledger')];
    const twice = await push({
      entities,
      documents: [{ definition }, { definition }],
    }).expect(400);
    expect(twice.body.error.message).toMatch(/documents\.1\.api.*twice/);
    await push({ entities, documents: { definition } }).expect(200);
    const foreign = await push({
      repository: 'https://git.example.com/evil/fork',
      commit: 9,
      documents: { definition: openapi([]) },
    }).expect(409);
    expect(foreign.body.error.message).toMatch(/acme\/ledger/);
    const { body } = await request(server).get(VERSIONS).expect(200);
    expect(body.items).toHaveLength(1);
  });
});

describe('validate', () => {
  it('tells of breaking changes before they are pushed', async () => {
    const { push, validate } = await start();
    const entities = [component('ledger')];
    const documents = (names: string[]) => ({ definition: openapi(names) });
    await push({ entities, documents: documents(['id', 'balance']) });
    const { body } = await validate({
      entities,
      commit: 2,
      documents: documents(['id']),
    }).expect(200);
    expect(body.valid).toBe(true);
    expect(body.problems).toContainEqual({
      field: 'documents.0.definition',
      severity: 'warning',
      message: expect.stringMatching(/^breaks clients of version 1: .*balance/),
    });
    const { body: fine } = await validate({
      entities,
      commit: 2,
      documents: documents(['id', 'balance', 'more']),
    }).expect(200);
    expect(
      fine.problems.filter((p: any) => p.field.startsWith('documents')),
    ).toEqual([]);
  });

  it('tells when the component does not name the API', async () => {
    const { validate } = await start();
    const { body } = await validate({
      entities: [component('ledger', { providesApis: [] })],
      documents: { definition: openapi(['id']) },
    }).expect(200);
    expect(body.problems).toContainEqual({
      field: 'documents.0.component',
      severity: 'warning',
      message: expect.stringContaining('spec.providesApis'),
    });
  });
});

it('the routes say what they do not have, and to whom they answer', async () => {
  const { server } = await start();
  const status = async (path: string) =>
    (await request(server).get(path)).status;
  expect(await status(VERSIONS)).toBe(404);
  expect(await status(`${VERSIONS}/1`)).toBe(404);
  expect(await status(`${VERSIONS}/x`)).toBe(400);
  await request(server)
    .get(VERSIONS)
    .set('authorization', mockCredentials.none.header())
    .expect(401);
  const permissions = mockServices.permissions.mock();
  permissions.authorize.mockResolvedValue([{ result: AuthorizeResult.DENY }]);
  const { server: closed } = await startTestBackend({
    features: [
      ciRegistryPlugin,
      catalogServiceMock.factory({ entities: [] }),
      permissions.factory,
    ],
  });
  await request(closed).get(VERSIONS).expect(403);
  await request(closed).get(`${VERSIONS}/1`).expect(403);
});
