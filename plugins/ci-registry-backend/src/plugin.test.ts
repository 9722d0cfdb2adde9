import type { BackendFeature } from '@backstage/backend-plugin-api';
import {
  mockCredentials,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import request from 'supertest';
import { ciRegistryPlugin } from './plugin';

const REPOSITORY = 'https://git.example.com/acme/ledger';

function component(name: string, extra: Record<string, unknown> = {}) {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name },
    spec: { type: 'service', lifecycle: 'production', owner: 'ledger' },
    ...extra,
  };
}

function body(entities: unknown[], source: Record<string, unknown> = {}) {
  return {
    source: {
      repository: REPOSITORY,
      commit: 'a'.repeat(40),
      pipeline: 'scaffolder:1',
      time: '2026-11-01T10:00:00Z',
      ...source,
    },
    entities,
  };
}

const catalogEntities = [
  component('from-file', {
    metadata: {
      name: 'from-file',
      annotations: {
        'backstage.io/managed-by-origin-location': 'file:/examples/all.yaml',
      },
    },
  }),
];

async function start(options: {
  catalog?: BackendFeature;
  permissions?: BackendFeature;
  config?: object;
}) {
  const auditor = mockServices.auditor.mock();
  const events = {
    success: jest.fn(async () => {}),
    fail: jest.fn(async () => {}),
  };
  auditor.createEvent.mockResolvedValue(events);
  const bus = mockServices.events.mock();
  const { server } = await startTestBackend({
    features: [
      ciRegistryPlugin,
      auditor.factory,
      bus.factory,
      options.catalog ??
        catalogServiceMock.factory({ entities: catalogEntities }),
      ...(options.permissions ? [options.permissions] : []),
      mockServices.rootConfig.factory({
        data: { ciRegistry: options.config ?? {} },
      }),
    ],
  });
  const push = (payload: unknown) =>
    request(server)
      .post('/api/ci-registry/entities')
      .send(payload as object);
  return { server, push, auditor, events, bus };
}

describe('ci-registry over HTTP', () => {
  it('stores, answers and reads back what was pushed', async () => {
    const { server, push, auditor, events, bus } = await start({});
    const entities = [
      component('ledger-service', {
        metadata: {
          name: 'ledger-service',
          uid: 'made-up',
          annotations: {
            'example.com/kept': 'yes',
            'backstage.io/managed-by-location': 'url:https://spoofed',
            'rocket.internal/source-commit': 'spoofed',
          },
        },
      }),
      {
        apiVersion: 'backstage.io/v1alpha1',
        kind: 'API',
        metadata: { name: 'ledger', namespace: 'payments' },
        spec: {
          type: 'openapi',
          lifecycle: 'production',
          owner: 'ledger',
          definition: 'openapi: 3.1.0',
        },
      },
    ];
    const created = await push(body(entities)).expect(200);
    expect(created.body).toEqual({
      results: [
        { entityRef: 'component:default/ledger-service', outcome: 'created' },
        { entityRef: 'api:payments/ledger', outcome: 'created' },
      ],
    });
    expect(bus.publish).toHaveBeenCalledTimes(1);
    expect(auditor.createEvent).toHaveBeenCalledWith(
      expect.objectContaining({ eventId: 'entity-register' }),
    );
    expect(events.success).toHaveBeenCalledWith(
      expect.objectContaining({
        meta: expect.objectContaining({ entities: created.body.results }),
      }),
    );

    const repeated = await push(body(entities)).expect(200);
    expect(
      repeated.body.results.map((r: { outcome: string }) => r.outcome),
    ).toEqual(['unchanged', 'unchanged']);
    const older = await push(
      body([component('ledger-service')], { time: '2026-10-01T10:00:00Z' }),
    ).expect(200);
    expect(older.body.results[0].outcome).toBe('superseded');
    expect(bus.publish).toHaveBeenCalledTimes(1);

    const read = await request(server)
      .get('/api/ci-registry/entities/Component/default/ledger-service')
      .expect(200);
    expect(read.body).toMatchObject({
      entityRef: 'component:default/ledger-service',
      applied: false,
      source: { repository: REPOSITORY, commit: 'a'.repeat(40) },
      entity: {
        metadata: {
          annotations: {
            'example.com/kept': 'yes',
            'backstage.io/managed-by-location': `rocket-ci-registry:${REPOSITORY}`,
            'backstage.io/managed-by-origin-location': `rocket-ci-registry:${REPOSITORY}`,
            'rocket.internal/source-repository': REPOSITORY,
            'rocket.internal/source-commit': 'a'.repeat(40),
            'rocket.internal/source-pipeline': 'scaffolder:1',
            'rocket.internal/pushed-at': expect.stringMatching(/^20.*Z$/),
          },
        },
      },
    });
    expect(read.body.entity.metadata.uid).toBeUndefined();

    const page = await request(server)
      .get('/api/ci-registry/entities?limit=1')
      .expect(200);
    expect(page.body.items).toHaveLength(1);
    const rest = await request(server)
      .get(`/api/ci-registry/entities?limit=1&cursor=${page.body.nextCursor}`)
      .expect(200);
    expect(rest.body.items[0].entityRef).toBe(
      'component:default/ledger-service',
    );
    expect(rest.body.nextCursor).toBeUndefined();
  });

  it.each([
    [REPOSITORY, 'dir:.', `url:${REPOSITORY}/tree/HEAD/`],
    [`${REPOSITORY}.git`, 'dir:./docs', `url:${REPOSITORY}/tree/HEAD/docs`],
    ['ledger-service', 'dir:.', 'url:rocket-git://ledger-service/tree/HEAD/'],
    [REPOSITORY, 'url:https://docs.example', 'url:https://docs.example'],
  ])(
    'finds the docs of a push from %s by %s in the repository',
    async (repository, reference, expected) => {
      const { server, push } = await start({});
      const entity = component('ledger-service', {
        metadata: {
          name: 'ledger-service',
          annotations: { 'backstage.io/techdocs-ref': reference },
        },
      });
      await push(body([entity], { repository })).expect(200);
      const { body: stored } = await request(server)
        .get('/api/ci-registry/entities/component/default/ledger-service')
        .expect(200);
      expect(
        stored.entity.metadata.annotations['backstage.io/techdocs-ref'],
      ).toBe(expected);
    },
  );

  it('says which field is wrong and stores nothing', async () => {
    const { server, push, bus } = await start({
      config: { maxEntities: 3, maxBodyBytes: 20_000 },
    });
    const cases: [unknown, RegExp, number?][] = [
      ['[', /JSON/, 400],
      [{}, /source: /],
      [body([]), /entities: must hold at least one/],
      [body([component('a')], { commit: 'main' }), /source\.commit/],
      [
        body([component('a')], {
          time: new Date(Date.now() + 3_600_000).toISOString(),
        }),
        /source\.time.*minutes ahead/,
      ],
      [
        body([component('a'), component('b'), component('c'), component('d')]),
        /at most 3/,
      ],
      [
        body([component('A'), component('a')]),
        /entities\.1: is component:default\/a, as is entities\.0/,
      ],
      [body([component('not a name')]), /entities\.0.*metadata\.name/],
      [
        body([component('a', { spec: { type: 'service' } })]),
        /entities\.0.*(owner|lifecycle)/,
      ],
      [
        body([component('a', { kind: 'Location' })]),
        /kind Location may not be pushed; allowed: Component/,
      ],
      [body([component('a', { kind: 'User' })]), /kind User/],
      [body([component('a', { apiVersion: 'x/v1' })]), /apiVersion x\/v1/],
      [body([component('a', { relations: [] })]), /relations/],
      [
        body([
          component('a', {
            spec: {
              ...component('a').spec,
              definition: { $text: 'https://10.0.0.1/secret' },
            },
          }),
        ]),
        /spec\.definition: is a \$text placeholder/,
      ],
      [
        body([component('a', { metadata: { name: 'a', title: 'a\u0000b' } })]),
        /metadata\.title: holds a NUL/,
      ],
      [
        body([
          component('a', {
            spec: JSON.parse(`${'{"x":'.repeat(300)}1${'}'.repeat(300)}`),
          }),
        ]),
        /nested deeper/,
      ],
      [
        body([component('a', { padding: 'x'.repeat(20_000) })]),
        /too large/,
        413,
      ],
    ];
    for (const [payload, message, status = 400] of cases) {
      const answer = await request(server)
        .post('/api/ci-registry/entities')
        .set('Content-Type', 'application/json')
        .send(typeof payload === 'string' ? payload : JSON.stringify(payload));
      expect({ status: answer.status, text: answer.text }).toEqual({
        status,
        text: expect.stringMatching(message),
      });
    }
    const nothing = await request(server).get('/api/ci-registry/entities');
    expect(nothing.body).toEqual({ items: [] });
    expect(bus.publish).not.toHaveBeenCalled();
    await request(server)
      .get('/api/ci-registry/entities?limit=0')
      .expect(400, /limit: must be at least 1/);
    await request(server)
      .get('/api/ci-registry/entities/component/default/nobody')
      .expect(404, /never pushed/);
    await push(body([component('a')])).expect(200);
  });

  it('refuses what belongs to another repository or another source of the catalog', async () => {
    const { push, events } = await start({});
    await push(body([component('ledger-service')])).expect(200);
    await push(
      body([component('ledger-service')], { repository: 'acme/other' }),
    ).expect(409, new RegExp(`belongs to ${REPOSITORY}`));
    await push(body([component('new'), component('from-file')])).expect(
      409,
      /component:default\/from-file from file:\/examples\/all\.yaml/,
    );
    expect(events.fail).toHaveBeenCalledTimes(2);
    const again = await push(body([component('new')])).expect(200);
    expect(again.body.results[0].outcome).toBe('created');
  });

  it('is unavailable, not wrong, while the catalog does not answer', async () => {
    const catalog = catalogServiceMock.mock();
    catalog.getEntitiesByRefs.mockRejectedValue(new Error('fetch failed'));
    const { push } = await start({ catalog: catalog.factory });
    const answer = await push(body([component('a')])).expect(503);
    expect(answer.headers['retry-after']).toBe('5');
    expect(answer.text).toMatch(/nothing was stored/);
  });

  it('asks who calls and what they may', async () => {
    const denied = await start({
      permissions: mockServices.permissions.factory({
        result: AuthorizeResult.DENY,
      }),
    });
    await denied
      .push(body([component('a')]))
      .expect(403, /ci-registry.entity.register/);
    for (const path of ['entities', 'entities/component/default/a']) {
      await request(denied.server)
        .get(`/api/ci-registry/${path}`)
        .expect(403, /ci-registry.entity.read/);
    }

    const { server } = await start({});
    const described = await request(server).get(
      '/api/ci-registry/openapi.json',
    );
    expect(described.body).toMatchObject({ openapi: '3.1.0' });
    const routes = [
      ['get', 'openapi.json'],
      ['post', 'entities'],
      ['get', 'entities'],
      ['get', 'entities/component/default/a'],
      ['post', 'changes/claim'],
      ['post', 'changes/acknowledge'],
      ['post', 'changes/repeat'],
    ] as const;
    for (const [method, path] of routes) {
      await request(server)
        [method](`/api/ci-registry/${path}`)
        .set('Authorization', mockCredentials.none.header())
        .expect(401);
    }
    expect(denied.bus.publish).not.toHaveBeenCalled();
    for (const path of ['claim', 'acknowledge', 'repeat']) {
      await request(server)
        .post(`/api/ci-registry/changes/${path}`)
        .set('Authorization', mockCredentials.user.header())
        .expect(403);
      await request(server)
        .post(`/api/ci-registry/changes/${path}`)
        .set(
          'Authorization',
          mockCredentials.service.header({
            onBehalfOf: mockCredentials.service('plugin:scaffolder'),
            targetPluginId: 'ci-registry',
          }),
        )
        .expect(403, /Only the catalog/);
    }
  });
});
