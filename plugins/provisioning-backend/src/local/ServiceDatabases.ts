import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { Client, escapeIdentifier, escapeLiteral } from 'pg';
import type { PostgresAdmin } from './PostgresServer';

/** What a service gets to reach its database. Never leaves the backend but in the service's own environment. */
export interface DatabaseAccess {
  database: string;
  /** Application role: reads and writes rows, no DDL. */
  appUrl: string;
  /** Owner of the database, for migrations. */
  ownerUrl: string;
  /** What a log must not show. */
  secrets: string[];
}

/**
 * One database per service with two roles of its own. The database is closed to
 * everybody else (`PUBLIC` may not connect), so no service reads another's.
 */
export class ServiceDatabases {
  readonly #admin: PostgresAdmin;

  constructor(admin: PostgresAdmin) {
    this.#admin = admin;
  }

  /** Makes what is missing; repeating it changes nothing. `passwordFile` keeps the two passwords, readable by us alone. */
  async ensure(name: string, passwordFile: string): Promise<DatabaseAccess> {
    const adminUrl = await this.#admin.connectionUrl();
    const database = databaseName(name);
    const owner = `${database}_owner`;
    const app = `${database}_app`;
    const passwords = await readPasswords(passwordFile);
    const access: DatabaseAccess = {
      database,
      ownerUrl: roleUrl(adminUrl, database, owner, passwords.owner),
      appUrl: roleUrl(adminUrl, database, app, passwords.app),
      secrets: [passwords.owner, passwords.app],
    };
    const db = escapeIdentifier(database);
    const o = escapeIdentifier(owner);
    const a = escapeIdentifier(app);

    await withClient(adminUrl, async client => {
      for (const [role, password] of [
        [owner, passwords.owner],
        [app, passwords.app],
      ]) {
        const { rowCount } = await client.query(
          'SELECT 1 FROM pg_roles WHERE rolname = $1',
          [role],
        );
        const verb = rowCount ? 'ALTER' : 'CREATE';
        // The verifier, not the password: a failing statement ends up in the server's log.
        await client.query(
          `${verb} ROLE ${escapeIdentifier(
            role,
          )} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD ${escapeLiteral(
            scramVerifier(password),
          )}`,
        );
      }
      const existing = await client.query(
        'SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = $1',
        [database],
      );
      if (existing.rows[0] && existing.rows[0].owner !== owner) {
        throw new Error(
          `The database '${database}' exists and belongs to '${existing.rows[0].owner}', not to this service`,
        );
      }
      if (!existing.rows[0]) {
        // Needed where the administrator is no superuser.
        await client.query(`GRANT ${o} TO CURRENT_USER`);
        await client.query(
          `CREATE DATABASE ${db} OWNER ${o} TEMPLATE template0 ENCODING 'UTF8'`,
        );
      }
      await client.query(`REVOKE ALL ON DATABASE ${db} FROM PUBLIC`);
      await client.query(`GRANT CONNECT ON DATABASE ${db} TO ${a}`);
    });

    await withClient(access.ownerUrl, async client => {
      await client.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
      await client.query(`GRANT USAGE ON SCHEMA public TO ${a}`);
      for (const what of [
        `USAGE ON SCHEMAS`,
        `SELECT, INSERT, UPDATE, DELETE ON TABLES`,
        `USAGE, SELECT ON SEQUENCES`,
      ]) {
        await client.query(`ALTER DEFAULT PRIVILEGES GRANT ${what} TO ${a}`);
      }
    });
    return access;
  }
}

/**
 * `svc_` keeps clear of `postgres` and of what else a shared server holds. With
 * `_owner` added it must fit PostgreSQL's 63 bytes; longer names are cut and
 * told apart by a hash.
 */
export function databaseName(service: string): string {
  const name = `svc_${service.replaceAll('-', '_')}`;
  if (name.length <= 56) return name;
  const hash = createHash('sha256').update(service).digest('hex').slice(0, 10);
  return `${name.slice(0, 45)}_${hash}`;
}

function roleUrl(
  adminUrl: string,
  database: string,
  role: string,
  password: string,
): string {
  const url = new URL(adminUrl);
  url.username = role;
  url.password = password;
  url.pathname = `/${database}`;
  return url.toString();
}

async function withClient(url: string, use: (client: Client) => Promise<void>) {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    statement_timeout: 30_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    await use(client);
  } finally {
    await client.end().catch(() => {});
  }
}

async function readPasswords(
  file: string,
): Promise<{ owner: string; app: string }> {
  try {
    const known = JSON.parse(await readFile(file, 'utf8'));
    if (typeof known.owner === 'string' && typeof known.app === 'string') {
      return known;
    }
  } catch {
    // None yet; `ensure` gives the roles new ones.
  }
  const passwords = {
    owner: randomBytes(24).toString('base64url'),
    app: randomBytes(24).toString('base64url'),
  };
  await writeFile(`${file}.new`, JSON.stringify(passwords), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return passwords;
}

/** PostgreSQL's stored form of a SCRAM-SHA-256 password (RFC 5802, RFC 7677). */
function scramVerifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (text: string) =>
    createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest();
  return `SCRAM-SHA-256$${iterations}:${salt.toString(
    'base64',
  )}$${stored.toString('base64')}:${hmac('Server Key').toString('base64')}`;
}
