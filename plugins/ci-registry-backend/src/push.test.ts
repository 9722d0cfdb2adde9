import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import request from 'supertest';
import { ciRegistryPlugin } from './plugin';

jest.setTimeout(60_000);

const REPOSITORY = 'https://git.example.com/acme/ledger';

function entity(kind: string, name: string, spec: object, metadata = {}) {
  return {
    apiVersion:
      kind === 'CriticalPath'
        ? 'rocket.internal/v1alpha1'
        : 'backstage.io/v1alpha1',
    kind,
    metadata: { name, ...metadata },
    spec,
  } as Entity & { spec: Record<string, unknown> };
}

function component(name: string, spec = {}, metadata = {}) {
  return entity(
    'Component',
    name,
    { type: 'service', lifecycle: 'production', owner: 'ledger', ...spec },
    metadata,
  );
}

const inCatalog = [
  entity('Group', 'ledger', { type: 'team', children: [] }),
  entity('System', 'core', { owner: 'ledger' }),
  entity('CriticalPath', 'posting', {
    steps: [{ name: 'post' }, { name: 'settle' }],
  }),
].map(item => ({
  ...item,
  metadata: { ...item.metadata, namespace: 'default' },
}));

function source(overrides: object = {}) {
  return {
    repository: REPOSITORY,
    commit: 'a'.repeat(40),
    time: '2026-11-01T10:00:00Z',
    ...overrides,
  };
}

async function start(config: object = {}) {
  const catalog = catalogServiceMock({ entities: inCatalog });
  const asked = jest.spyOn(catalog, 'getEntitiesByRefs');
  const { server } = await startTestBackend({
    features: [
      ciRegistryPlugin,
      catalogServiceMock.mock({
        getEntitiesByRefs: catalog.getEntitiesByRefs.bind(catalog) as never,
      }).factory,
      mockServices.rootConfig.factory({ data: { ciRegistry: config } }),
    ],
  });
  const post = (path: string, body: unknown) =>
    request(server)
      .post(`/api/ci-registry${path}`)
      .set('Content-Type', 'application/json')
      // Bytes and text go out as they are.
      .serialize(value => value as string)
      .send(
        typeof body === 'string' || Buffer.isBuffer(body)
          ? (body as string)
          : JSON.stringify(body),
      );
  const get = (path: string) => request(server).get(`/api/ci-registry${path}`);
  return {
    asked,
    get,
    push: (body: unknown) => post('/pushes', body),
    validate: (body: unknown) => post('/validate', body),
  };
}

describe('POST /validate', () => {
  it('names every problem with its field, asks the catalog once, and stores nothing', async () => {
    const { asked, get, push, validate } = await start({
      checks: { owner: 'error' },
      requiredAnnotations: [
        { annotation: 'acme.example/tier', types: ['service'] },
        {
          annotation: 'acme.example/runbook',
          severity: 'warning',
        },
      ],
    });
    const tier = { annotations: { 'acme.example/tier': '1' } };
    const path = (annotations: object) => ({
      annotations: {
        'acme.example/tier': '1',
        'acme.example/runbook': 'x',
        ...annotations,
      },
    });
    const entities = [
      component('good', { system: 'core' }, path({})),
      component('stranger', { owner: 'nobody' }, path({})),
      component(
        'dangling',
        {
          system: 'unknown',
          dependsOn: ['resource:db', 'component:good', 'not a ref'],
          providesApis: ['unknown-api'],
        },
        tier,
      ),
      component('bare'),
      component('library', { type: 'library' }, path({})),
      component(
        'lost',
        {},
        path({
          'rocket.internal/critical-path': 'unknown',
          'rocket.internal/critical-path-step': 'post',
        }),
      ),
      component(
        'misstep',
        {},
        path({
          'rocket.internal/critical-path': 'posting',
          'rocket.internal/critical-path-step': 'pay',
        }),
      ),
      component(
        'halfway',
        {},
        path({ 'rocket.internal/critical-path': 'posting' }),
      ),
      component(
        'on-path',
        {},
        path({
          'rocket.internal/critical-path': 'posting',
          'rocket.internal/critical-path-step': 'settle',
        }),
      ),
      component('elsewhere', {}, { namespace: 'rocket', ...path({}) }),
      entity('Template', 'form', { type: 'service' }),
      entity('Component', 'Not a name', { type: 'service' }, path({})),
      'nothing',
    ];
    const answer = await validate({
      source: source(),
      entities: entities.slice(0, -1),
      removed: ['component:good', 'component:never'],
    }).expect(200);
    expect(answer.body.valid).toBe(false);
    const said = answer.body.problems.map(
      (p: { field: string; message: string; severity: string }) =>
        `${p.severity} ${p.field}: ${p.message}`,
    );
    const expected = [
      /^error entities\.1\.spec\.owner: group:default\/nobody does not exist/,
      /^warning entities\.2\.spec\.system: system:default\/unknown does not/,
      /^warning entities\.2\.spec\.dependsOn\.0: resource:default\/db does not/,
      /^error entities\.2\.spec\.dependsOn\.2: "not a ref" is not an entity ref/,
      /^warning entities\.2\.spec\.providesApis\.0: api:default\/unknown-api/,
      /^warning entities\.2\.metadata\.annotations\.acme\.example\/runbook: must be given for Component$/,
      /^error entities\.3\.metadata\.annotations\.acme\.example\/tier: must be given for Component of type service$/,
      /^warning entities\.3\.metadata\.annotations\.acme\.example\/runbook/,
      /^error entities\.5\.metadata\.annotations\.rocket\.internal\/critical-path: criticalpath:default\/unknown does not exist/,
      /^error entities\.6\.metadata\.annotations\.rocket\.internal\/critical-path-step: criticalpath:default\/posting has no step "pay"; its steps are post, settle/,
      /^error entities\.7\.metadata\.annotations\.rocket\.internal\/critical-path-step: must be the name of a step/,
      /^error entities\.9\.metadata\.namespace: namespace rocket is reserved/,
      /^error entities\.10\.kind: kind Template may not be pushed; allowed: Component/,
      /^error entities\.11\.metadata\.name: is not valid; expected/,
      /^error entities\.11\.spec\.(lifecycle|owner): must be given/,
      /^error removed\.0: component:default\/good is pushed and removed at once/,
      /^warning removed\.1: component:default\/never was never pushed/,
    ];
    for (const pattern of expected) {
      expect(said).toContainEqual(expect.stringMatching(pattern));
    }
    expect(said).toHaveLength(expected.length);
    expect(asked.mock.calls.length).toBeLessThanOrEqual(1);
    await validate({ source: source(), entities }).expect(400, /entities\.12/);

    // What is an error there is refused here, with all problems.
    const refused = await push({
      source: source(),
      entities: entities.slice(0, 2),
    }).expect(400);
    expect(refused.body.error.message).toMatch(
      /^entities\.1\.spec\.owner: .*; nothing was stored$/,
    );
    expect(refused.body.error.problems).toEqual([
      {
        field: 'entities.1.spec.owner',
        message: expect.stringContaining('does not exist'),
        severity: 'error',
      },
    ]);
    expect((await get('/entities')).body).toEqual({ items: [] });

    const fine = await validate({
      source: source(),
      entities: entities.slice(0, 1),
    }).expect(200);
    expect(fine.body).toEqual({ valid: true, problems: [] });
  });

  it('knows what is on its way to the catalog, and whose it is', async () => {
    const { push, validate } = await start();
    await push({ source: source(), entities: [component('first')] }).expect(
      200,
    );
    const other = source({ repository: 'acme/other' });
    const answer = await validate({
      source: other,
      entities: [
        component('second', { dependsOn: ['component:first'] }),
        component('first'),
      ],
    }).expect(200);
    expect(answer.body).toEqual({
      valid: false,
      problems: [
        {
          field: 'entities.1',
          message: `component:default/first belongs to ${REPOSITORY}; rename it, or push it from the repository that holds it`,
          severity: 'error',
        },
      ],
    });
    await push({ source: other, entities: [component('first')] }).expect(
      409,
      new RegExp(`belongs to ${REPOSITORY}`),
    );
    await push({ source: other, removed: ['component:first'] }).expect(
      409,
      new RegExp(`belongs to ${REPOSITORY}`),
    );
  });

  it('asks the catalog one time for 500 entities that name each other and others', async () => {
    const { asked, validate } = await start({ maxEntities: 500 });
    const entities = Array.from({ length: 500 }, (_, i) =>
      component(`c${i}`, {
        system: 'core',
        dependsOn: [`component:c${(i + 1) % 500}`, `resource:r${i % 50}`],
      }),
    );
    const { body } = await validate({ source: source(), entities }).expect(200);
    expect(body.valid).toBe(true);
    expect(body.problems).toHaveLength(500);
    // 500 to see whose they are, 52 that they name; 500 fit into one question.
    expect(asked).toHaveBeenCalledTimes(2);
  });
});

describe('POST /pushes', () => {
  it('gives up, restores, and shows every change', async () => {
    const { get, push } = await start();
    const first = await push({
      source: source(),
      entities: [component('a'), component('b', { system: 'nowhere' })],
    }).expect(200);
    expect(first.body).toEqual({
      entities: [
        { entityRef: 'component:default/a', outcome: 'created' },
        { entityRef: 'component:default/b', outcome: 'created' },
      ],
      gone: [],
      builds: [],
      deployments: [],
      documents: [],
      warnings: [expect.stringMatching(/^entities\.1\.spec\.system: /)],
    });
    const at = (minute: number) =>
      source({ time: `2026-11-01T10:0${minute}:00Z` });
    await push({ source: at(1), complete: true }).expect(
      400,
      /entities: is empty and complete, which would remove component:default\/a, component:default\/b; name them in removed/,
    );
    await push({ source: at(1), entities: [], complete: true }).expect(400);
    await push({ source: at(1) }).expect(400, /says nothing/);
    const left = await push({
      source: at(2),
      entities: [component('a')],
      complete: true,
    }).expect(200);
    expect(left.body).toMatchObject({
      entities: [{ outcome: 'unchanged' }],
      gone: ['component:default/b'],
    });
    const gone = await get('/entities/component/default/b').expect(200);
    expect(gone.body).toMatchObject({ state: 'gone' });
    expect(Date.parse(gone.body.removedAt) - Date.parse(gone.body.goneAt)).toBe(
      24 * 3_600_000,
    );
    expect(gone.body.entity.metadata.annotations).toMatchObject({
      'rocket.internal/gone-at': gone.body.goneAt,
    });
    const back = await push({
      source: at(3),
      entities: [
        component(
          'b',
          {},
          {
            annotations: { 'rocket.internal/gone-at': 'spoofed' },
          },
        ),
      ],
    }).expect(200);
    expect(back.body.entities[0].outcome).toBe('updated');
    const again = await get('/entities/component/default/b').expect(200);
    expect(again.body.state).toBe('active');
    expect(JSON.stringify(again.body)).not.toMatch(/gone-at|goneAt|spoofed/);

    const page = await get('/history/component/default/b?limit=2').expect(200);
    expect(
      page.body.items.map((c: { kind: string; version: number }) => [
        c.version,
        c.kind,
      ]),
    ).toEqual([
      [3, 'restored'],
      [2, 'gone'],
    ]);
    expect(page.body.items[0].changes).toEqual([
      { op: 'remove', path: '/spec/system', before: 'nowhere' },
    ]);
    const rest = await get(
      `/history/component/default/b?limit=2&cursor=${page.body.nextCursor}`,
    ).expect(200);
    expect(rest.body.items.map((c: { kind: string }) => c.kind)).toEqual([
      'created',
    ]);
    expect(rest.body.nextCursor).toBeUndefined();
    const old = await get('/history/component/default/b/2').expect(200);
    expect(old.body).toMatchObject({
      change: { kind: 'gone', actor: 'user:default/mock' },
      entity: { spec: { system: 'nowhere' } },
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const all = await get('/history/component/default/b/export').expect(200);
    expect(all.headers['content-type']).toMatch('application/x-ndjson');
    expect(all.text.trim().split('\n')).toHaveLength(3);
    await get('/history/component/default/b/4').expect(404);
    await get('/history/component/default/b/x').expect(400, /version/);
    await get('/history/component/default/none').expect(404);
    await get('/history/component/default/none/export').expect(404);
    await get('/history/component/default/b?cursor=x').expect(400, /cursor/);
  });

  it('refuses what cannot be stored as it is, and stores nothing of it', async () => {
    const { get, push } = await start({ maxBodyBytes: 30_000 });
    const json = JSON.stringify({
      source: source(),
      entities: [component('a', {}, { title: 'T' })],
    });
    const cases: [string | Buffer, number, RegExp][] = [
      [
        Buffer.from(json.replace('"T"', '"\xff\xfe"'), 'latin1'),
        400,
        /not valid UTF-8/,
      ],
      [
        json.replace('"T"', '"\\ud800"'),
        400,
        /entities\.0\.metadata\.title: is not valid Unicode/,
      ],
      [
        json.replace('"T"', '{"__proto__":{"polluted":1}}'),
        400,
        /entities\.0\.metadata\.title: has a key __proto__/,
      ],
      [json.replace('"T"', '1e999'), 400, /metadata\.title: is a number/],
      [
        json.replace('"T"', '['.repeat(5_000) + ']'.repeat(5_000)),
        400,
        /nested deeper than 40 levels/,
      ],
      [json.replace('"T"', `"${'x'.repeat(30_000)}"`), 413, /too large/],
      [
        json.replace('"time"', '"ancestors":["main"],"time"'),
        400,
        /source\.ancestors\.0: must be a full commit id/,
      ],
      [
        json.replace('2026-11-01', '2199-01-01'),
        400,
        /source\.time: .*minutes ahead/,
      ],
      [json.replace('"T"', '"T"},"extra":{"a":1'), 400, /extra/],
      [
        JSON.stringify({ source: source(), removed: ['//'] }),
        400,
        /removed\.0: must be an entity reference/,
      ],
      [
        JSON.stringify({
          source: source(),
          builds: [
            { component: 'a', coverage: { lines: { covered: 2, total: 1 } } },
          ],
        }),
        400,
        /builds\.0\.coverage\.lines\.covered: must not be more than total/,
      ],
      [
        JSON.stringify({
          source: source(),
          deployments: [
            {
              id: '1',
              component: 'a',
              environment: 'production',
              startedAt: '2026-11-01T10:00:00Z',
              outcome: 'succeeded',
              url: ['javascript', 'alert(1)'].join(':'),
            },
          ],
        }),
        400,
        /deployments\.0\.url: must be an http.*deployments\.0\.finishedAt: must be given/,
      ],
    ];
    for (const [body, status, message] of cases) {
      const answer = await push(body);
      expect({ status: answer.status, text: answer.text }).toEqual({
        status,
        text: expect.stringMatching(message),
      });
    }
    expect((await get('/entities')).body).toEqual({ items: [] });
    await push(json).expect(200);
  });

  it('lets one caller push only so often for one repository', async () => {
    const { push } = await start({ pushesPerMinute: 3 });
    const body = { source: source(), entities: [component('a')] };
    for (let i = 0; i < 3; i++) await push(body).expect(200);
    const refused = await push(body).expect(429, /more than 3 pushes a minute/);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await push({
      source: source({ repository: 'acme/other' }),
      entities: [component('b')],
    }).expect(200);
  });

  it('fetches no address that a push names', async () => {
    let connections = 0;
    const target: Server = createServer((_req, res) => res.end('secret'));
    target.on('connection', () => {
      connections += 1;
    });
    await new Promise<void>(resolve => target.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(target.address() as AddressInfo).port}`;
    try {
      const { push, validate } = await start();
      const body = {
        source: source({
          repository: `${url}/acme/ledger.git`,
          pipeline: `${url}/run/1`,
        }),
        entities: [
          component(
            'a',
            {},
            {
              annotations: {
                'backstage.io/techdocs-ref': `url:${url}/docs`,
                'backstage.io/managed-by-location': `url:${url}/catalog`,
                'backstage.io/managed-by-origin-location': `url:${url}/c`,
                'backstage.io/source-location': `url:${url}/source`,
              },
              links: [{ url: `${url}/link` }],
            },
          ),
          entity('API', 'api', {
            type: 'openapi',
            lifecycle: 'production',
            owner: 'ledger',
            definition: `openapi: 3.1.0\nservers: [{url: ${url}}]\n$ref: ${url}/x`,
          }),
        ],
      };
      await validate(body).expect(200);
      await push(body).expect(200);
      await push({
        ...body,
        entities: [component('b', { definition: { $text: `${url}/text` } })],
      }).expect(400, /placeholder/);
      expect(connections).toBe(0);
      await fetch(url);
      expect(connections).toBe(1);
    } finally {
      target.closeAllConnections();
      target.close();
    }
  });
});
