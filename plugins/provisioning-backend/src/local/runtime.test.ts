import { createServer } from 'node:http';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { Client } from 'pg';
import { fakeService } from '../__testUtils__/fakeService';
import {
  freePorts,
  makeDatabase,
  makeDirectory,
  OWNER,
  pushFiles,
  startBackend,
  type TestBackend,
} from '../__testUtils__/backend';
import { processIdentity } from './processes';

jest.setTimeout(120_000);

describe('the local runtime', () => {
  let dataDir: string;
  let knex: Knex;
  let backend: TestBackend;
  let port: number;

  const start = () =>
    startBackend({
      dataDir,
      knex,
      config: {
        local: {
          postgres: { port: port + 50 },
          ports: { from: port, to: port + 40 },
          newrelic: {
            host: 'localhost',
            port: 1,
            licenseKey: 'license-key-0123456789',
          },
          readyTimeout: { seconds: 5 },
          healthInterval: { milliseconds: 100 },
          handOver: { watch: { milliseconds: 300 } },
          commandTimeout: { seconds: 20 },
          stopGrace: { seconds: 1 },
          restart: { max: 2, delay: { milliseconds: 20 } },
        },
      },
    });

  beforeAll(async () => {
    dataDir = await makeDirectory();
    knex = makeDatabase();
    port = await freePorts(51);
    backend = await start();
  });

  afterAll(async () => {
    await backend?.stop();
    await knex?.destroy();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function create(name: string, files: Record<string, string>) {
    const { status } = await backend.call('POST', '/repositories', {
      name,
      owner: OWNER,
    });
    expect(status).toBe(201);
    return pushFiles(backend, name, files);
  }

  const deploy = (name: string, more: object = {}) =>
    backend.call('POST', '/services', {
      name,
      entityRef: `component:default/${name}`,
      owner: OWNER,
      repository: name,
      ...more,
    });

  const settled = (name: string) =>
    backend.until(name, s => s.state !== 'deploying');

  it('brings a service up, with its own database, and keeps its secrets', async () => {
    const commit = await create(
      'ledger-api',
      fakeService(
        { version: '1' },
        {
          database: 'postgresql',
          install: ['node', '-e', 'console.log("installing")'],
          migrate: [
            'node',
            '-e',
            'console.log(process.env.MIGRATION_DATABASE_URL)',
          ],
        },
      ),
    );
    const accepted = await deploy('ledger-api', {
      criticalPath: 'transaction-posting',
    });
    expect(accepted.status).toBe(202);
    expect(accepted.body).toMatchObject({ state: 'deploying', commit });

    const status = await settled('ledger-api');
    expect(status).toMatchObject({
      state: 'healthy',
      commit,
      deployment: { commit, status: 'done' },
      restarts: 0,
      database: 'svc_ledger_api',
    });
    expect(status.phases.map(p => p.status)).toEqual(Array(7).fill('done'));
    expect(status.docsUrl).toBe(`${status.url}/docs`);

    const { env } = await (await fetch(status.url!)).json();
    expect(env).toMatchObject({
      HOST: '127.0.0.1',
      ROCKET_SERVICE_NAME: 'ledger-api',
      ROCKET_CRITICAL_PATH: 'transaction-posting',
      NEW_RELIC_APP_NAME: 'ledger-api',
      NEW_RELIC_ENABLED: 'true',
      NEW_RELIC_HOST: 'localhost',
      NEW_RELIC_UTILIZATION_DETECT_AWS: 'false',
    });
    expect(env.MIGRATION_DATABASE_URL).toBeUndefined();
    // Nothing of the backend's own environment but the search path.
    expect(env.JEST_WORKER_ID).toBeUndefined();
    expect(env.NODE_OPTIONS).toBeUndefined();

    const { body: log } = await backend.call('GET', '/services/ledger-api/log');
    const text = JSON.stringify(log);
    expect(text).toContain('I am ledger-api');
    expect(text).toContain('secret postgresql://svc_ledger_api_app:***@');
    expect(text).toContain('postgresql://svc_ledger_api_migration:***@');
    const password = new URL(env.DATABASE_URL).password;
    expect(password.length).toBeGreaterThan(20);
    const everything = JSON.stringify([
      text,
      status,
      await knex('services'),
      await knex('git_tokens'),
    ]);
    expect(everything).not.toContain(password);
    expect(everything).not.toContain('license-key-0123456789');

    const more = await backend.call(
      'GET',
      `/services/ledger-api/log?after=${log.cursor}&limit=10`,
    );
    expect(more.body).toEqual({ lines: [], cursor: log.cursor });
  });

  it('does nothing for the same commit again', async () => {
    const before = await backend.until(
      'ledger-api',
      s => s.state === 'healthy',
    );
    const { status, body } = await deploy('ledger-api', {
      criticalPath: 'transaction-posting',
    });
    expect(status).toBe(202);
    expect(body).toEqual(before);
  });

  it('lets no service into the database of another, and the application role change no table', async () => {
    await create('fx-rates', fakeService({}, { database: 'postgresql' }));
    await deploy('fx-rates');
    const fx = await settled('fx-rates');
    const ledger = await backend.until(
      'ledger-api',
      s => s.state === 'healthy',
    );
    const urlOf = async (url: string) =>
      (await (await fetch(url)).json()).env.DATABASE_URL as string;
    const own = new URL(await urlOf(fx.url!));

    const query = async (url: string, sql: string) => {
      const client = new Client({ connectionString: url });
      try {
        await client.connect();
        return (await client.query(sql)).rows;
      } finally {
        await client.end();
      }
    };
    await expect(query(own.toString(), 'SELECT 1 AS one')).resolves.toEqual([
      { one: 1 },
    ]);
    await expect(
      query(own.toString(), 'CREATE TABLE t (id int)'),
    ).rejects.toThrow(/permission denied/);
    const other = new URL(own);
    other.pathname = new URL(await urlOf(ledger.url!)).pathname;
    await expect(query(other.toString(), 'SELECT 1')).rejects.toThrow(
      /permission denied for database/,
    );
    const { status, body } = await backend.call('POST', '/databases/check');
    expect(status).toBe(200);
    expect(body.items).toEqual([
      expect.objectContaining({
        server: 'local',
        databases: ['svc_fx_rates', 'svc_ledger_api'],
        attempts: 4,
        violations: [],
        passed: true,
      }),
    ]);
  });

  it('gives the application role the rows of what a migration makes, in any schema', async () => {
    await create('migrated-api', {
      ...fakeService(
        {},
        {
          database: 'postgresql',
          migrate: ['node', 'migrate.js'],
        },
      ),
      'migrate.js': `
        const { Client } = require(${JSON.stringify(require.resolve('pg'))});
        (async () => {
          const client = new Client({ connectionString: process.env.MIGRATION_DATABASE_URL });
          await client.connect();
          await client.query('CREATE SCHEMA books; CREATE TABLE books.entry (id serial, x int)');
          await client.end();
        })();`,
    });
    await deploy('migrated-api');
    const status = await settled('migrated-api');
    expect(status.state).toBe('healthy');
    const { env } = await (await fetch(status.url!)).json();
    const client = new Client({ connectionString: env.DATABASE_URL });
    await client.connect();
    try {
      await client.query('INSERT INTO books.entry (x) VALUES (5)');
      const { rows } = await client.query('SELECT x FROM books.entry');
      expect(rows).toEqual([{ x: 5 }]);
      await expect(client.query('DROP TABLE books.entry')).rejects.toThrow(
        /must be owner/,
      );
    } finally {
      await client.end();
    }
  });

  it.each<[string, string, Record<string, string>, string, RegExp]>([
    [
      'no-manifest',
      'no rocket.yaml',
      { 'a.txt': 'a' },
      'checkout',
      /no file rocket.yaml/,
    ],
    [
      'bad-yaml',
      'a rocket.yaml that is no YAML',
      { 'rocket.yaml': 'spec: [' },
      'checkout',
      /not valid YAML/,
    ],
    [
      'bad-field',
      'a field of the wrong type',
      fakeService({}, { start: 'node server.js' }),
      'checkout',
      /spec\.start: .*array/,
    ],
    [
      'unknown-field',
      'an unknown field',
      fakeService({}, { command: ['x'] }),
      'checkout',
      /spec: .*command/,
    ],
    [
      'bad-install',
      'an installation that fails',
      fakeService(
        {},
        {
          install: [
            'node',
            '-e',
            'console.error("no such package"); process.exit(9)',
          ],
        },
      ),
      'install',
      /exit code 9.*no such package/,
    ],
    [
      'offline-install',
      'an installation without network',
      fakeService(
        {},
        {
          install: [
            'node',
            '-e',
            'console.error("npm error code ENOTFOUND"); process.exit(1)',
          ],
        },
      ),
      'install',
      /package registry cannot be reached/,
    ],
    [
      'missing-tool',
      'a program that is not there',
      fakeService({}, { install: ['no-such-tool', 'install'] }),
      'install',
      /no program 'no-such-tool'/,
    ],
    [
      'bad-migration',
      'a migration that fails',
      fakeService(
        {},
        {
          database: 'postgresql',
          migrate: ['node', '-e', 'process.exit(4)'],
        },
      ),
      'migrate',
      /exit code 4/,
    ],
    [
      'crash-at-start',
      'a service that ends at once',
      fakeService({ exitAtStart: true }),
      'health',
      /exit code 3.*cannot go on/,
    ],
    [
      'never-ready',
      'a service that is never ready',
      fakeService({ ready: false }),
      'health',
      /not ready after 5 seconds: GET \/readyz: answered 503/,
    ],
  ])(
    '%s: says what is wrong with %s',
    async (name, _what, files, phase, reason) => {
      await create(name, files);
      await deploy(name);
      const status = await settled(name);
      expect(status.state).toBe('failed');
      expect(status.message).toMatch(reason);
      const failed = status.phases.filter(p => p.status === 'failed');
      expect(failed.map(p => p.phase)).toEqual([phase]);
      expect(failed[0].message).toBe(status.message);
      expect(status.deployment).toMatchObject({ status: 'failed' });
      // What exists is told, for whoever has to clean up.
      expect(status.database).toBe(
        phase === 'migrate' ? 'svc_bad_migration' : undefined,
      );
    },
  );

  it('can be mended after a failed deployment', async () => {
    await pushFiles(backend, 'bad-field', fakeService({ version: 'mended' }));
    await deploy('bad-field');
    expect((await settled('bad-field')).state).toBe('healthy');
  });

  it('admits one of several requests at once', async () => {
    const name = 'hurried-api';
    const first = await create(name, fakeService({ version: '1' }));
    const second = await pushFiles(
      backend,
      name,
      fakeService({ version: '2' }),
    );
    const answers = await Promise.all(
      [first, second, first, second].map(ref => deploy(name, { ref })),
    );
    // The same commit joins, another one has to wait.
    expect(answers.map(a => a.status)).toEqual([202, 409, 202, 409]);
    const status = await settled(name);
    expect(status).toMatchObject({ state: 'healthy', commit: first });
    expect((await (await fetch(status.url!)).json()).version).toBe('1');
  });

  it('keeps the version before when a new one fails', async () => {
    const first = await create('rolling-api', fakeService({ version: '1' }));
    await deploy('rolling-api');
    const before = await settled('rolling-api');
    const bad = await pushFiles(
      backend,
      'rolling-api',
      fakeService({ version: '2', exitAtStart: true }),
    );
    await deploy('rolling-api');
    const after = await backend.until(
      'rolling-api',
      s => s.state === 'healthy' && s.deployment?.status === 'failed',
    );
    expect(after).toMatchObject({
      commit: first,
      url: before.url,
      deployment: { commit: bad, status: 'failed' },
    });
    expect(after.message).toMatch(/failed \(health\).*runs/);
    expect((await (await fetch(after.url!)).json()).version).toBe('1');

    const third = await pushFiles(
      backend,
      'rolling-api',
      fakeService({ version: '3' }),
    );
    await deploy('rolling-api');
    const now = await backend.until(
      'rolling-api',
      s => s.deployment?.status === 'done',
    );
    expect(now).toMatchObject({ commit: third, url: before.url });
    expect(now.message).toBeUndefined();
    expect((await (await fetch(now.url!)).json()).version).toBe('3');
  });

  it('starts a crashed service again, and gives up on one that always crashes', async () => {
    await create('crashing-api', fakeService());
    await deploy('crashing-api');
    const { url } = await settled('crashing-api');
    const { pid } = await (await fetch(url!)).json();
    await fetch(`${url}/crash`);
    const back = await backend.until(
      'crashing-api',
      s => s.state === 'healthy' && s.restarts === 1,
    );
    expect((await (await fetch(back.url!)).json()).pid).not.toBe(pid);

    await fetch(`${url}/crash-always`);
    const failed = await backend.until(
      'crashing-api',
      s => s.state === 'failed',
    );
    expect(failed.message).toMatch(/Given up after 2 restarts.*exit code 3/);
    expect(failed.restarts).toBeGreaterThanOrEqual(2);
  });

  it('tells when a running service stops being ready, and when it is again', async () => {
    const { url } = await backend.until(
      'rolling-api',
      s => s.state === 'healthy',
    );
    await fetch(`${url}/unready`);
    const sick = await backend.until(
      'rolling-api',
      s => s.state === 'unhealthy',
    );
    expect(sick.message).toMatch(/GET \/readyz: answered 503/);
    await fetch(`${url}/reready`);
    await backend.until('rolling-api', s => s.state === 'healthy');
  });

  it('stops, starts and restarts', async () => {
    const { url } = await backend.until('fx-rates', s => s.state === 'healthy');
    const { pid } = await (await fetch(url!)).json();
    const stopped = await backend.call('POST', '/services/fx-rates/stop');
    expect(stopped.body.state).toBe('stopped');
    expect(processIdentity(pid)).toBeUndefined();
    await expect(fetch(url!)).rejects.toThrow();

    await backend.call('POST', '/services/fx-rates/start');
    const again = await backend.until('fx-rates', s => s.state === 'healthy');
    expect(again.url).toBe(url);
    const second = (await (await fetch(url!)).json()).pid;
    const restarting = await backend.call('POST', '/services/fx-rates/restart');
    expect(restarting.body.state).toBe('restarting');
    // A resumed run of a template deploys once more what is just coming up.
    const repeated = await deploy('fx-rates');
    expect(repeated.body).toMatchObject({
      state: 'restarting',
      deployment: { status: 'done' },
    });
    await backend.until('fx-rates', s => s.state === 'healthy');
    expect((await (await fetch(url!)).json()).pid).not.toBe(second);
  });

  it('ends a service that ignores SIGTERM', async () => {
    await create('stubborn-api', fakeService({ stubborn: true }));
    await deploy('stubborn-api');
    const { url } = await settled('stubborn-api');
    const { pid } = await (await fetch(url!)).json();
    await backend.call('POST', '/services/stubborn-api/stop');
    expect(processIdentity(pid)).toBeUndefined();
  });

  it('stops a deployment that is under way', async () => {
    await create(
      'slow-api',
      fakeService({}, { install: ['node', '-e', 'setTimeout(()=>{}, 60000)'] }),
    );
    await deploy('slow-api');
    await backend.until('slow-api', s =>
      s.phases.some(p => p.phase === 'install' && p.status === 'running'),
    );
    const busy = await backend.call('POST', '/services/slow-api/restart');
    expect(busy.status).toBe(409);
    const stopped = await backend.call('POST', '/services/slow-api/stop');
    expect(stopped.body).toMatchObject({
      state: 'stopped',
      deployment: { status: 'failed' },
    });
  });

  it('moves to another port when somebody took its own', async () => {
    const { url } = await backend.until('fx-rates', s => s.state === 'healthy');
    const stopped = await backend.call('POST', '/services/fx-rates/stop');
    expect(stopped.body.state).toBe('stopped');
    const squatter = createServer((_req, res) => res.end('not the service'));
    await new Promise<void>((resolve, reject) => {
      squatter.once('error', reject);
      squatter.listen(Number(new URL(url!).port), '127.0.0.1', resolve);
    });
    try {
      await backend.call('POST', '/services/fx-rates/start');
      const moved = await backend.until('fx-rates', s => s.state === 'healthy');
      expect(moved.url).not.toBe(url);
    } finally {
      squatter.closeAllConnections();
      squatter.close();
    }
  });

  it('ends its services with the backend and brings them back with the next one', async () => {
    const before = await backend.until(
      'ledger-api',
      s => s.state === 'healthy',
    );
    const { env, pid } = await (await fetch(before.url!)).json();
    const insert = async (sql: string) => {
      const url = new URL(env.DATABASE_URL);
      const passwords = require(join(
        dataDir,
        'services/ledger-api/database.json',
      ));
      url.username = 'svc_ledger_api_migration';
      url.password = passwords.migration;
      const client = new Client({ connectionString: url.toString() });
      await client.connect();
      const { rows } = await client.query(sql);
      await client.end();
      return rows;
    };
    await insert('CREATE TABLE kept (x int)');
    await insert('INSERT INTO kept VALUES (42)');

    await backend.stop();
    expect(processIdentity(pid)).toBeUndefined();
    backend = await start();
    const after = await backend.until('ledger-api', s => s.state === 'healthy');
    expect(after).toMatchObject({ url: before.url, commit: before.commit });
    await expect(insert('SELECT x FROM kept')).resolves.toEqual([{ x: 42 }]);
    // What was stopped stays so.
    const stubborn = await backend.call('GET', '/services/stubborn-api');
    expect(stubborn.body.state).toBe('stopped');
  });

  it('refuses a second backend on the same data directory', async () => {
    await expect(start()).rejects.toThrow(/in use by the backend/);
  });
});
