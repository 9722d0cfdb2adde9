import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import {
  TestDatabases,
  mockServices,
  startTestBackend,
} from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import {
  DefaultReadinessService,
  readinessServiceRef,
} from '@rocket/plugin-ci-registry-node';
import createKnex from 'knex';
import request from 'supertest';
import { Proxy } from './__testUtils__/proxy';
import { ciRegistryPlugin } from './plugin';

jest.setTimeout(120_000);

const databases = TestDatabases.create({ ids: ['POSTGRES_18'] });

function body(content: string, minute = 0) {
  return {
    source: {
      repository: 'acme/ledger',
      commit: 'a'.repeat(40),
      time: `2026-11-01T10:0${minute}:00Z`,
    },
    entities: ['a', 'b'].map(name => ({
      apiVersion: 'backstage.io/v1alpha1',
      kind: 'Component',
      metadata: { name, description: content },
      spec: { type: 'service', lifecycle: 'production', owner: 'ledger' },
    })),
    deployments: [
      {
        id: content,
        component: 'a',
        environment: 'production',
        startedAt: '2026-11-01T09:00:00Z',
        finishedAt: '2026-11-01T09:05:00Z',
        outcome: 'succeeded',
      },
    ],
  };
}

/** The end of the push's transaction; what is reported afterwards commits as well. */
const COMMIT = { text: 'COMMIT', after: 'insert into "deployments"' };

describe.each(databases.eachSupportedId())('%p away', id => {
  let direct: ReturnType<typeof createKnex>;
  let viaProxy: ReturnType<typeof createKnex>;
  let proxy: Proxy;
  let server: Parameters<typeof request>[0];
  let readiness: DefaultReadinessService;
  let cuts = 0;

  beforeAll(async () => {
    direct = await databases.init(id);
    const { connection } = direct.client.config;
    proxy = new Proxy({ host: connection.host, port: Number(connection.port) });
    const port = await proxy.listen();
    viaProxy = createKnex({
      client: 'pg',
      connection: {
        ...connection,
        // Knex hides it from copies.
        password: connection.password,
        host: '127.0.0.1',
        port,
      },
      pool: { min: 0, max: 4 },
      // It is broken on purpose.
      log: { warn() {}, error() {} },
    });
    readiness = new DefaultReadinessService({
      logger: mockServices.logger.mock(),
      timeoutMs: 300,
    });
    ({ server } = await startTestBackend({
      features: [
        ciRegistryPlugin,
        catalogServiceMock.factory(),
        createServiceFactory({
          service: readinessServiceRef,
          deps: {},
          factory: () => readiness,
        }),
        createServiceFactory({
          service: coreServices.database,
          deps: {},
          factory: () =>
            mockServices.database({
              knex: viaProxy,
              migrations: { skip: false },
            }),
        }),
      ],
    }));
  });

  afterAll(async () => {
    proxy.close();
    await viaProxy.destroy();
  });

  const push = (payload: object) =>
    request(server).post('/api/ci-registry/pushes').send(payload);
  const rows = async (table: string) =>
    Number((await direct(table).count({ n: '*' }))[0].n);
  const counted = async () => ({
    entities: await rows('entities'),
    changes: await rows('entity_changes'),
    outbox: await rows('outbox'),
    deployments: await rows('deployments'),
  });

  it('answers 503, is not ready, and takes the same push afterwards', async () => {
    await push(body('one', 1)).expect(200);
    const before = await counted();
    expect(before).toMatchObject({ entities: 2, changes: 2, outbox: 2 });
    expect(await readiness.failing()).toEqual([]);

    proxy.cut();
    const refused = await push(body('two', 2)).expect(503);
    expect(refused.headers['retry-after']).toBe('5');
    expect(refused.text).toMatch(/send it again/);
    expect(await readiness.failing()).toEqual(['ci-registry database']);
    await request(server).get('/api/ci-registry/entities').expect(503);

    proxy.restore();
    expect(await readiness.failing()).toEqual([]);
    expect(await counted()).toEqual(before);
    await push(body('two', 2)).expect(200);
    expect(await counted()).toEqual({
      ...before,
      changes: 4,
      deployments: before.deployments + 1,
    });
  });

  it('is not ready, and says so in time, when the database hangs', async () => {
    proxy.hang();
    expect(await readiness.failing()).toEqual(['ci-registry database']);
    proxy.restore();
    while ((await readiness.failing()).length) {
      await new Promise(resolve => setImmediate(resolve));
    }
  });

  it.each([
    'BEGIN',
    'insert into "repositories"',
    'insert into "entities"',
    'insert into "entity_changes"',
    'insert into "outbox"',
    'insert into "deployments"',
    'insert into "decisions"',
    'COMMIT',
  ])('stores nothing of a push that is cut off at %s', async statement => {
    const before = await counted();
    cuts += 1;
    const payload = body(`content ${cuts}`, 3);
    proxy.cutAt(statement === 'COMMIT' ? COMMIT : { text: statement });
    await push(payload).expect(503);
    proxy.restore();
    // The server rolls back when it sees that the connection is gone.
    while (
      (
        await direct.raw(
          `select 1 from pg_stat_activity where state like 'idle in transaction%' and datname = current_database() and pid <> pg_backend_pid()`,
        )
      ).rows.length
    ) {
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(await counted()).toEqual(before);

    const { body: answer } = await push(payload).expect(200);
    expect(answer.entities.map((e: { outcome: string }) => e.outcome)).toEqual([
      'updated',
      'updated',
    ]);
    expect(await counted()).toEqual({
      ...before,
      changes: before.changes + 2,
      deployments: before.deployments + 1,
    });
  });

  it('stored it once when only the answer got lost', async () => {
    const payload = body('answer lost', 4);
    const before = await counted();
    proxy.cutAt({ ...COMMIT, forward: true });
    await push(payload).expect(503);
    proxy.restore();
    const after = {
      ...before,
      changes: before.changes + 2,
      deployments: before.deployments + 1,
    };
    while ((await counted()).changes !== after.changes) {
      await new Promise(resolve => setImmediate(resolve));
    }
    const { body: answer } = await push(payload).expect(200);
    expect(answer.entities.map((e: { outcome: string }) => e.outcome)).toEqual([
      'unchanged',
      'unchanged',
    ]);
    expect(await counted()).toEqual(after);
  });
});
