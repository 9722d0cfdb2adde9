import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Effect } from '@rocket/plugin-provisioning-common';
import { Client } from 'pg';
import { ExternalPostgres } from '../../local/PostgresServer';
import { DatabaseServers } from '../../local/DatabaseServers';
import { databaseName, databaseRoles } from '../../local/databaseNames';
import { ServiceDatabases } from '../../local/ServiceDatabases';
import {
  databaseReference,
  PostgresDatabaseHandler,
} from './PostgresDatabaseHandler';
import { redact } from '../secrets';

const URL_OF_ADMIN =
  process.env.BACKSTAGE_TEST_DATABASE_POSTGRES18_CONNECTION_STRING;
const onPostgres = URL_OF_ADMIN ? describe : describe.skip;

jest.setTimeout(60_000);

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

onPostgres('postgres.database', () => {
  const suffix = Math.random().toString(36).slice(2, 8);
  const service = `cards-${suffix}`;
  const subject = `component:default/${service}`;
  const database = databaseName(service);
  const roles = databaseRoles(database);
  let directory: string;
  let databases: ServiceDatabases;
  let handler: PostgresDatabaseHandler;
  let now = new Date('2026-11-21T12:00:00Z');
  const context = {
    signal: new AbortController().signal,
    progress: async () => {},
  };

  const effect = (changes: Partial<Effect> = {}): Effect => ({
    id: '1',
    type: 'postgres.database',
    reference: databaseReference(service, 'test'),
    subject,
    owner: 'group:default/cards',
    run: 'task:1',
    step: 'database',
    sequence: 1,
    intent: handler.parseIntent({ service, server: 'test' }),
    details: {},
    state: 'live',
    undo: '',
    actor: 'user:default/mock',
    createdAt: '',
    updatedAt: '',
    ...changes,
  });
  const file = (name: string) => join(directory, `${name}.json`);
  const make = (url: string) => {
    databases = new ServiceDatabases(new ExternalPostgres(url), file);
    return new PostgresDatabaseHandler({
      servers: new DatabaseServers([{ name: 'test', databases }]),
      connectionLimit: 20,
      retentionMs: 24 * 3600 * 1000,
      now: () => now,
    });
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rocket-databases-'));
    handler = make(URL_OF_ADMIN!);
  });

  afterEach(async () => {
    await databases.drop(service).catch(() => {});
    await rm(directory, { recursive: true, force: true });
  });

  const reasons = async (target = handler, changes: Partial<Effect> = {}) =>
    (await target.preflight(effect(changes))).map(
      ({ level, reason }) => `${level} ${reason}`,
    );

  it('is made, is the same when it is made again, and has gone without a trace when it is undone', async () => {
    expect(await reasons()).toEqual(['ok name-free']);
    const details = await handler.apply(effect(), context);
    // The ledger takes out what looks like a secret; nothing of it does.
    expect(redact(details)).toEqual(details);
    expect(details).toMatchObject({
      server: 'test',
      database,
      roles: {
        owner: roles.owner,
        migration: roles.migration,
        application: roles.application,
      },
      connectionLimit: 20,
    });
    const secrets = JSON.parse(await readFile(file(service), 'utf8'));
    for (const secret of [secrets.migration, secrets.application]) {
      expect(JSON.stringify([details, effect()])).not.toContain(secret);
    }
    expect(await handler.apply(effect(), context)).toEqual(details);
    expect(await reasons()).toEqual(['ok database-exists']);
    expect(await handler.observe(effect())).toMatchObject({ state: 'present' });

    expect(await handler.remove(effect(), 'undo', context)).toMatchObject({
      outcome: 'done',
    });
    expect(await handler.observe(effect())).toMatchObject({ state: 'absent' });
    await expect(
      query(
        URL_OF_ADMIN!,
        `SELECT rolname FROM pg_roles WHERE rolname LIKE '${database}%'`,
      ),
    ).resolves.toEqual([]);
    await expect(readFile(file(service))).rejects.toThrow('ENOENT');
    // Once more, as after a crash.
    expect(await handler.remove(effect(), 'undo', context)).toMatchObject({
      outcome: 'done',
    });
  });

  it('gives the owner to nobody, rows to the application and tables to the migration', async () => {
    await handler.apply(effect(), context);
    const access = await databases.ensure(service);
    await query(access.migrationUrl, 'CREATE TABLE entry (x int)');
    await query(access.appUrl, 'INSERT INTO entry VALUES (7)');
    expect(await query(access.appUrl, 'SELECT x FROM entry')).toEqual([
      { x: 7 },
    ]);
    for (const sql of [
      'CREATE TABLE other (x int)',
      'ALTER TABLE entry ADD y int',
      'DROP TABLE entry',
      'TRUNCATE entry',
      `SET ROLE ${roles.owner}`,
      `SET ROLE ${roles.migration}`,
      'CREATE ROLE intruder',
      `ALTER DATABASE ${database} CONNECTION LIMIT 1000`,
    ]) {
      await expect(query(access.appUrl, sql)).rejects.toThrow(
        /permission denied|must be owner/,
      );
    }
    expect(
      await query(
        URL_OF_ADMIN!,
        `SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE '${database}%' ORDER BY 1`,
      ),
    ).toEqual([
      { rolname: roles.application, rolcanlogin: true },
      { rolname: roles.migration, rolcanlogin: true },
      { rolname: roles.owner, rolcanlogin: false },
    ]);
    expect(
      await query(
        access.appUrl,
        `SELECT tableowner FROM pg_tables WHERE tablename = 'entry'`,
      ),
    ).toEqual([{ tableowner: roles.owner }]);
  });

  it('takes over a database from before there was a migration role', async () => {
    const { promises: fs } = require('node:fs');
    await fs.writeFile(
      file(service),
      JSON.stringify({ owner: 'old-owner', app: 'old-app' }),
    );
    await query(
      URL_OF_ADMIN!,
      `CREATE ROLE ${roles.owner} LOGIN PASSWORD 'old-owner'`,
    );
    await query(
      URL_OF_ADMIN!,
      `CREATE ROLE ${roles.application} LOGIN PASSWORD 'old-app'`,
    );
    await query(
      URL_OF_ADMIN!,
      `CREATE DATABASE ${database} OWNER ${roles.owner}`,
    );
    expect(await reasons(handler, {})).toEqual(['error name-taken']);
    const access = await databases.ensure(service);
    expect(access.appUrl).toContain(':old-app@');
    await handler.apply(effect(), context);
    expect(await handler.observe(effect())).toMatchObject({ state: 'present' });
  });

  it('finds what somebody changed, and mends it when it is applied again', async () => {
    await handler.apply(effect(), context);
    const access = await databases.ensure(service);
    for (const sql of [
      `ALTER DATABASE ${database} CONNECTION LIMIT 3`,
      `GRANT CONNECT ON DATABASE ${database} TO PUBLIC`,
      `ALTER ROLE ${roles.owner} LOGIN`,
      `ALTER ROLE ${roles.application} CREATEDB`,
    ]) {
      await query(URL_OF_ADMIN!, sql);
    }
    await query(
      access.migrationUrl,
      `GRANT CREATE ON SCHEMA public TO ${roles.application}`,
    );
    const { state, differences } = await handler.observe(effect());
    expect(state).toBe('drifted');
    expect(differences!.map(d => d.field).sort()).toEqual(
      [
        `attributes of ${roles.application}`,
        'connectionLimit',
        'privileges of PUBLIC',
        `role ${roles.owner}`,
        'schema public',
      ].sort(),
    );
    await handler.apply(effect(), context);
    expect(await handler.observe(effect())).toMatchObject({ state: 'present' });
  });

  it('closes a retired one, keeps it for its retention, and drops it then', async () => {
    await handler.apply(effect(), context);
    const access = await databases.ensure(service);
    const held = new Client({ connectionString: access.appUrl });
    const ended = new Promise(resolve => held.once('end', resolve));
    held.on('error', () => {});
    await held.connect();

    const result = await handler.remove(effect(), 'retire', context);
    expect(result).toMatchObject({
      outcome: 'retained',
      until: new Date('2026-11-22T12:00:00Z'),
    });
    await ended;
    await expect(query(access.appUrl, 'SELECT 1')).rejects.toThrow();
    const retained = effect({
      state: 'retained',
      retainedUntil: '2026-11-22T12:00:00.000Z',
    });
    expect(await handler.observe(retained)).toMatchObject({ state: 'present' });
    now = new Date('2026-11-22T11:59:59Z');
    expect(await handler.remove(retained, 'retire', context)).toEqual(result);
    now = new Date('2026-11-22T12:00:00Z');
    expect(await handler.remove(retained, 'retire', context)).toMatchObject({
      outcome: 'done',
    });
    expect(await handler.observe(retained)).toMatchObject({ state: 'absent' });
  });

  it('leaves a database of somebody else alone', async () => {
    await query(URL_OF_ADMIN!, `CREATE DATABASE ${database}`);
    try {
      expect(await reasons()).toEqual(['error name-taken']);
      await expect(handler.apply(effect(), context)).rejects.toThrow(
        /belongs to 'postgres'/,
      );
      expect(await handler.remove(effect(), 'undo', context)).toMatchObject({
        outcome: 'manual',
      });
      expect(
        await query(
          URL_OF_ADMIN!,
          `SELECT 1 AS there FROM pg_database WHERE datname = '${database}'`,
        ),
      ).toEqual([{ there: 1 }]);
    } finally {
      await query(URL_OF_ADMIN!, `DROP DATABASE ${database}`);
    }
  });

  it('refuses the database of another component', async () => {
    await handler.apply(effect(), context);
    await expect(
      handler.apply(effect({ subject: 'component:default/other' }), context),
    ).rejects.toThrow(/is marked as/);
  });

  it('works with an administrator that is no superuser, and says what one lacks', async () => {
    const admin = `admin_${suffix}`;
    const urlOf = new URL(URL_OF_ADMIN!);
    urlOf.username = admin;
    urlOf.password = 'admin';
    await query(URL_OF_ADMIN!, `CREATE ROLE ${admin} LOGIN PASSWORD 'admin'`);
    try {
      const weak = make(urlOf.toString());
      expect(await reasons(weak)).toContain('error credentials-insufficient');
      await query(URL_OF_ADMIN!, `ALTER ROLE ${admin} CREATEROLE CREATEDB`);
      expect(await reasons(weak)).toEqual(['ok name-free']);
      await weak.apply(effect(), context);
      await weak.apply(effect(), context);
      const access = await databases.ensure(service);
      await query(access.migrationUrl, 'CREATE TABLE t (x int)');
      expect(await weak.observe(effect())).toMatchObject({ state: 'present' });
      expect(await weak.remove(effect(), 'undo', context)).toMatchObject({
        outcome: 'done',
      });
    } finally {
      await make(URL_OF_ADMIN!).remove(effect(), 'undo', context);
      await query(URL_OF_ADMIN!, `DROP ROLE ${admin}`);
    }
  });

  it('says when the server is away, and takes that for nothing else', async () => {
    const away = make('postgresql://postgres@127.0.0.1:1/postgres');
    expect(await reasons(away)).toEqual(['error server-unreachable']);
    expect(await away.observe(effect())).toMatchObject({ state: 'unknown' });
    await expect(away.apply(effect(), context)).rejects.toThrow(/ECONNREFUSED/);
    await expect(away.remove(effect(), 'undo', context)).rejects.toThrow(
      /ECONNREFUSED/,
    );
  });

  it.each([
    [{}, /service: /],
    [{ service: 'No' }, /service: must be/],
    [
      { service: 'cards', server: 'moon' },
      /no database server 'moon'; there are test/,
    ],
    [{ service: 'cards', connectionLimit: 0 }, /connectionLimit: /],
    [{ service: 'cards', password: 'x' }, /password/],
  ])('refuses the intent %j', (intent, reason) => {
    expect(() => handler.parseIntent(intent)).toThrow(reason);
  });
});
