import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mockServices } from '@backstage/backend-test-utils';
import { Client } from 'pg';
import { freePorts, makeDirectory } from '../__testUtils__/backend';
import { makeRuntime, startClients } from '../__testUtils__/localRuntime';
import { checkIsolation } from './databaseInspection';
import { databaseRoles } from './databaseNames';
import { EmbeddedPostgres } from './PostgresServer';
import { accessOf } from './ServiceDatabases';

jest.setTimeout(120_000);

async function query(url: string, sql: string) {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** On a server that asks for passwords. */
describe('the databases of services', () => {
  let directory: string;
  let made: ReturnType<typeof makeRuntime>;
  let clients: ReturnType<typeof startClients> | undefined;
  const signal = new AbortController().signal;

  beforeAll(async () => {
    directory = await makeDirectory();
    const first = await freePorts(21);
    const postgres = new EmbeddedPostgres({
      directory: join(directory, 'postgres'),
      port: first + 20,
      logger: mockServices.logger.mock(),
    });
    made = makeRuntime(directory, first, { postgres });
    await made.runtime.prepare();
    await postgres.connectionUrl();
  });

  afterAll(async () => {
    await clients?.stop();
    await made.runtime.shutdown();
    await rm(directory, { recursive: true, force: true });
  });

  const database = { database: 'postgresql' };
  const file = (name: string) =>
    join(directory, 'services', name, 'database.json');

  /** As it is now; `ensure` would mend what a rotation left. */
  const accessNow = async (name: string) =>
    accessOf(
      name,
      await made.databases.admin.connectionUrl(),
      (await made.databases.credentials(name).read())!,
    );

  it('get new passwords under continuous requests without losing one, and refuse the old ones', async () => {
    const target = made.version('cards', { version: '1' }, database);
    const { url } = await made.deploy(target);
    clients = startClients(url, 6);
    const logins = new Set<string>();
    for (let round = 0; round < 3; round += 1) {
      const before = await accessNow('cards');
      expect(await query(before.appUrl, 'SELECT 1 AS one')).toEqual([
        { one: 1 },
      ]);
      await made.runtime.rotateCredentials(target, { signal });
      const after = await accessNow('cards');
      logins.add(new URL(after.appUrl).username);
      for (const key of ['appUrl', 'migrationUrl'] as const) {
        await expect(query(before[key], 'SELECT 1')).rejects.toThrow(
          /password authentication failed|not permitted to log in/,
        );
        expect(await query(after[key], 'SELECT 1 AS one')).toEqual([
          { one: 1 },
        ]);
      }
      const since = clients.answers.length;
      await clients.until(answer => answer.status === 200);
      expect(new Set(clients.answers.slice(since).map(a => a.user))).toEqual(
        new Set([new URL(after.appUrl).username]),
      );
    }
    expect(logins.size).toBe(2);
    const answers = await clients.stop();
    expect(answers.filter(answer => answer.status !== 200)).toEqual([]);
    expect((await stat(file('cards'))).mode & 0o777).toBe(0o600);
    const log = JSON.stringify(
      await made.runtime.readLog('cards', { limit: 2_000 }),
    );
    const secrets = JSON.parse(await readFile(file('cards'), 'utf8'));
    expect(log).not.toContain(secrets.application);
    expect(log).not.toContain(secrets.migration);
  });

  it('keep their passwords when the service does not come up with new ones', async () => {
    const target = made.version(
      'brittle',
      { version: '1' },
      { ...database, start: ['node', 'server.js'] },
    );
    const { url } = await made.deploy(target);
    const { pid } = await (await fetch(url)).json();
    const before = await accessNow('brittle');
    const secrets = await readFile(file('brittle'), 'utf8');
    const release = join(
      directory,
      'services/brittle/releases',
      target.commit,
      'server.js',
    );
    const { promises: fs } = require('node:fs');
    const server = await readFile(release, 'utf8');
    await fs.writeFile(release, 'process.exit(9)');
    await expect(
      made.runtime.rotateCredentials(target, { signal }),
    ).rejects.toThrow(/exit code 9/);
    expect(await readFile(file('brittle'), 'utf8')).toBe(secrets);
    expect(await query(before.appUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const answer = await (await fetch(url)).json();
    expect(answer).toMatchObject({ pid, user: 'svc_brittle_app' });
    const roles = databaseRoles('svc_brittle');
    expect(
      await query(
        await made.databases.admin.connectionUrl(),
        `SELECT rolname FROM pg_roles WHERE rolname LIKE 'svc_brittle%' AND rolcanlogin ORDER BY 1`,
      ),
    ).toEqual([{ rolname: roles.application }, { rolname: roles.migration }]);
    await fs.writeFile(release, server);
    await made.runtime.rotateCredentials(target, { signal });
    expect(await (await fetch(url)).json()).toMatchObject({
      user: 'svc_brittle_app_b',
    });
  });

  it('have nothing to rotate where there is no database', async () => {
    const target = made.version('stateless', { version: '1' });
    await made.deploy(target);
    await expect(
      made.runtime.rotateCredentials(target, { signal }),
    ).rejects.toThrow(/stateless has no database/);
    await made.runtime.remove(target);
  });

  it('cannot be read by another service: every pair is tried', async () => {
    const names = ['cards', 'brittle', 'loans', 'loans-archive'];
    const urls = new Map<string, { appUrl: string; migrationUrl: string }>();
    for (const name of names) {
      const access = await made.databases.ensure(name);
      await query(
        access.migrationUrl,
        'CREATE TABLE IF NOT EXISTS secret (x int)',
      );
      urls.set(name, access);
    }
    const seen: string[] = [];
    for (const [name, access] of urls) {
      for (const [other, { appUrl }] of urls) {
        for (const url of [access.appUrl, access.migrationUrl]) {
          const crossed = new URL(url);
          crossed.pathname = new URL(appUrl).pathname;
          const got = await query(
            crossed.toString(),
            'SELECT x FROM secret',
          ).then(
            () => 'read',
            error => error.message,
          );
          seen.push(`${name} reads ${other}: ${got}`);
        }
      }
    }
    const expected = names.flatMap(name =>
      names.flatMap(other => {
        const got =
          name === other
            ? 'read'
            : `permission denied for database "svc_${other.replace('-', '_')}"`;
        // With the login of the application and with that of migrations.
        return Array(2).fill(`${name} reads ${other}: ${got}`);
      }),
    );
    expect(seen).toEqual(expected);

    const report = await checkIsolation(made.databases, names);
    expect(report).toMatchObject({
      server: 'local',
      violations: [],
      passed: true,
      databases: ['svc_brittle', 'svc_cards', 'svc_loans', 'svc_loans_archive'],
      // Two logins of each of four services at three databases of others.
      attempts: 24,
    });

    const admin = await made.databases.admin.connectionUrl();
    await query(admin, 'GRANT CONNECT ON DATABASE svc_loans TO PUBLIC');
    const opened = await checkIsolation(made.databases, names);
    expect(opened.passed).toBe(false);
    expect(opened.violations).toContainEqual({
      role: 'svc_loans_archive_app',
      database: 'svc_loans',
      how: 'could connect with its own password',
    });
    await made.databases.ensure('loans');
    expect((await checkIsolation(made.databases, names)).passed).toBe(true);

    await query(admin, 'GRANT svc_loans_app TO svc_loans_archive_app');
    await query(admin, 'ALTER ROLE svc_cards_migration BYPASSRLS');
    const member = await checkIsolation(made.databases, names);
    expect(
      member.violations.map(
        ({ role, database: d, how }) => `${role} ${d} ${how}`,
      ),
    ).toEqual(
      expect.arrayContaining([
        'svc_loans_archive_app svc_loans is a member of svc_loans_app: revoke that',
        'svc_cards_migration * has attributes of an administrator: alter the role',
      ]),
    );
  });
});
