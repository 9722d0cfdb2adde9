import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { mockServices } from '@backstage/backend-test-utils';
import { Client } from 'pg';
import { freePorts, makeDirectory } from '../__testUtils__/backend';
import { EmbeddedPostgres } from './PostgresServer';
import { processIdentity } from './processes';
import { databaseName, databaseRoles } from './databaseNames';
import { ServiceDatabases } from './ServiceDatabases';

jest.setTimeout(120_000);

describe('the embedded PostgreSQL', () => {
  let root: string;
  let directory: string;
  let port: number;
  const servers: EmbeddedPostgres[] = [];

  beforeAll(async () => {
    root = await makeDirectory();
    directory = join(root, 'postgres');
    port = await freePorts(1);
  });

  afterAll(async () => {
    for (const server of servers) await server.shutdown();
    await rm(root, { recursive: true, force: true });
  });

  function open(where = directory) {
    const server = new EmbeddedPostgres({
      directory: where,
      port,
      logger: mockServices.logger.mock(),
    });
    servers.push(server);
    return server;
  }

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

  const pid = async () =>
    Number.parseInt(
      await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8'),
      10,
    );

  it('keeps its data and its password over a restart', async () => {
    const first = open();
    const url = await first.connectionUrl();
    await query(url, 'CREATE TABLE kept (x int)');
    expect((await query(url, 'SHOW server_version'))[0].server_version).toMatch(
      /^18\./,
    );
    const { mode } = await stat(join(directory, 'superuser.password'));
    expect(mode & 0o777).toBe(0o600);
    const process = await pid();
    await first.shutdown();
    expect(processIdentity(process)).toBeUndefined();

    const second = open();
    expect(await second.connectionUrl()).toBe(url);
    await expect(query(url, 'SELECT * FROM kept')).resolves.toEqual([]);
    await second.shutdown();
  });

  it('starts after a kill, also when another process has the old process id', async () => {
    const first = open();
    const url = await first.connectionUrl();
    const old = await pid();
    process.kill(old, 'SIGKILL');
    while (processIdentity(old)) await new Promise(r => setTimeout(r, 20));
    await first.shutdown();
    const stranger = spawn('sleep', ['60']);
    const file = join(directory, 'data', 'postmaster.pid');
    const lines = (await readFile(file, 'utf8')).split('\n');
    lines[0] = String(stranger.pid);
    await writeFile(file, lines.join('\n'));
    try {
      await open().connectionUrl();
      await expect(query(url, 'SELECT * FROM kept')).resolves.toEqual([]);
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  it('uses the server that a killed backend left', async () => {
    const before = await pid();
    const next = open();
    await next.connectionUrl();
    expect(await pid()).toBe(before);
  });

  it('gives roles that fit, repeatedly, and refuses a database of somebody else', async () => {
    const server = open();
    const file = join(root, 'long.json');
    const databases = new ServiceDatabases(server, () => file);
    const name = `a${'-b'.repeat(31)}`;
    expect(name).toHaveLength(63);
    const first = await databases.ensure(name);
    expect(await databases.ensure(name)).toEqual(first);
    await expect(query(first.appUrl, 'SELECT 1 AS x')).resolves.toEqual([
      { x: 1 },
    ]);
    // The file is gone: the roles get new passwords.
    await rm(file);
    const second = await databases.ensure(name);
    expect(second.appUrl).not.toBe(first.appUrl);
    await expect(query(second.appUrl, 'SELECT 1 AS x')).resolves.toEqual([
      { x: 1 },
    ]);
    await expect(query(first.appUrl, 'SELECT 1')).rejects.toThrow(/password/);

    await query(await server.connectionUrl(), 'CREATE DATABASE svc_taken');
    await expect(databases.ensure('taken')).rejects.toThrow(
      /belongs to 'postgres'/,
    );
  });

  it('has a different name for each service', () => {
    const long = `a${'b'.repeat(61)}`;
    expect(databaseName(`${long}c`)).not.toBe(databaseName(`${long}d`));
    const roles = [`${long}c`, `${long}d`].flatMap(name =>
      Object.values(databaseRoles(databaseName(name))),
    );
    expect(new Set(roles).size).toBe(8);
    for (const role of roles) expect(role.length).toBeLessThanOrEqual(63);
  });

  it('says so when the port is taken', async () => {
    for (const server of servers) await server.shutdown();
    const squatter = createServer();
    await new Promise<void>(resolve => {
      squatter.listen(port, '127.0.0.1', resolve);
    });
    try {
      await expect(open().connectionUrl()).rejects.toThrow(
        `cannot listen on 127.0.0.1:${port}: the port is taken`,
      );
    } finally {
      squatter.close();
    }
  });

  // For any other user it is a directory like all others.
  it('runs below a directory that only its owner can enter', async () => {
    const closed = join(root, 'closed');
    await mkdir(closed);
    await chmod(closed, 0o700);
    const server = open(join(closed, 'postgres'));
    const url = await server.connectionUrl();
    await expect(query(url, 'SELECT 1 AS x')).resolves.toEqual([{ x: 1 }]);
    await server.shutdown();
    const again = open(join(closed, 'postgres'));
    expect(await again.connectionUrl()).toBe(url);
    await again.shutdown();
  });
});
