import { resolvePackagePath } from '@backstage/backend-plugin-api';
import { TestDatabases } from '@backstage/backend-test-utils';
import { DatabaseRepositoryStore } from './DatabaseRepositoryStore';
import { DatabaseServiceStore } from './DatabaseServiceStore';
import type { ServiceRecord } from './ServiceStore';

jest.setTimeout(60_000);

const databases = TestDatabases.create({ ids: ['SQLITE_3', 'POSTGRES_18'] });

const service = (changes: Partial<ServiceRecord> = {}): ServiceRecord => ({
  name: 'ledger-api',
  entityRef: 'component:default/ledger-api',
  owner: 'group:default/ledger',
  repository: 'ledger-api',
  runtime: 'local',
  desired: 'running',
  phases: [{ phase: 'queued', status: 'running', startedAt: 'then' }],
  state: 'deploying',
  restarts: 0,
  createdBy: 'user:default/guest',
  updatedAt: '2026-11-21T00:00:00.000Z',
  ...changes,
});

describe.each(databases.eachSupportedId())('the stores on %s', id => {
  async function open() {
    const knex = await databases.init(id);
    const directory = resolvePackagePath(
      '@rocket/plugin-provisioning-backend',
      'migrations',
    );
    await knex.migrate.latest({ directory });
    return { knex, directory };
  }

  it('keeps a service with all its fields, and clears them', async () => {
    const { knex } = await open();
    const now = new Date('2026-11-21T12:00:00.000Z');
    const store = new DatabaseServiceStore(knex, () => now);
    expect(await store.insert(service())).toBe(true);
    expect(await store.insert(service({ owner: 'group:default/x' }))).toBe(
      false,
    );
    expect(await store.get('ledger-api')).toEqual(service());

    const full: Partial<ServiceRecord> = {
      criticalPath: 'transaction-posting',
      runningCommit: 'a'.repeat(40),
      deployCommit: 'b'.repeat(40),
      deployStatus: 'failed',
      deployMessage: 'why',
      phases: [{ phase: 'health', status: 'failed', message: 'ünïcode' }],
      state: 'healthy',
      message: 'm'.repeat(5000),
      url: 'http://127.0.0.1:7100',
      docsUrl: 'http://127.0.0.1:7100/docs',
      database: 'svc_ledger_api',
      restarts: 3,
      startedAt: now.toISOString(),
    };
    await store.update('ledger-api', full);
    expect(await store.get('ledger-api')).toEqual({
      ...service(full),
      updatedAt: now.toISOString(),
    });
    await store.update('ledger-api', { message: undefined, url: undefined });
    const cleared = await store.get('ledger-api');
    expect(cleared).toMatchObject({ message: undefined, restarts: 3 });
    expect(cleared!.url).toBeUndefined();
    expect(await store.get('no-such-one')).toBeUndefined();
  });

  it('gives a port to one service only, also when two ask at once', async () => {
    const { knex } = await open();
    const store = new DatabaseServiceStore(knex);
    const names = ['aaa', 'bbb', 'ccc', 'ddd'];
    for (const name of names) await store.insert(service({ name }));
    const taken = await Promise.all(names.map(n => store.takePort(n, 7100)));
    expect(taken.filter(Boolean)).toHaveLength(1);
    const winner = names[taken.indexOf(true)];
    expect(await store.getPort(winner)).toBe(7100);
    expect(await store.takePort(winner, 7100)).toBe(true);
    expect(await store.listPorts()).toEqual([7100]);
    expect((await store.list()).map(s => s.name)).toEqual(names);
  });

  it('keeps repositories, and forgets expired tokens', async () => {
    const { knex } = await open();
    const store = new DatabaseRepositoryStore(knex);
    const record = {
      name: 'ledger-api',
      owner: 'group:default/ledger',
      description: 'Books',
      defaultBranch: 'main',
      createdBy: 'user:default/guest',
      createdAt: '2026-11-21T00:00:00.000Z',
      requestId: 'task-1',
    };
    expect(await store.insertRepository(record)).toBe(true);
    expect(await store.insertRepository({ ...record, owner: 'x' })).toBe(false);
    expect(await store.getRepository('ledger-api')).toEqual(record);
    expect(await store.listRepositories()).toEqual([record]);

    const token = (hash: string, expiresAt: string) => ({
      hash,
      repository: 'ledger-api',
      access: 'read' as const,
      createdBy: 'user:default/guest',
      expiresAt,
    });
    const now = new Date('2026-11-21T12:00:00.000Z');
    await store.insertToken(token('old', '2026-11-21T11:59:59.999Z'), now);
    await store.insertToken(token('new', '2026-11-21T12:10:00.000Z'), now);
    expect(await store.getToken('old')).toBeUndefined();
    expect(await store.getToken('new')).toEqual(
      token('new', '2026-11-21T12:10:00.000Z'),
    );
  });

  it('migrates down and up again', async () => {
    const { knex, directory } = await open();
    await knex.migrate.rollback({ directory }, true);
    expect(await knex.schema.hasTable('services')).toBe(false);
    await knex.migrate.latest({ directory });
    expect(await knex.schema.hasTable('services')).toBe(true);
  });
});
