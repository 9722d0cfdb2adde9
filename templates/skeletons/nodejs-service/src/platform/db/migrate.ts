import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Grants } from '../service.ts';

export const MIGRATIONS_FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../../../migrations');

/** Chosen at random, the same in every release: two migrators of one database take turns. */
const LOCK = 0x526f636b6574;

/** Milliseconds that a migration waits for one lock, and how often it tries. */
const LOCK_TIMEOUT = 400;
const ATTEMPTS = 200;
const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK_DETECTED = '40P01';

export type MigrationOptions = {
  /** The role that owns the schema. */
  url: string;
  /** The role that the service runs as; it gets the right to read, and what `grants` names, nothing else. */
  applicationRole?: string | undefined;
  grants: Grants;
  folder?: string;
  log?: (message: string) => void;
};

/**
 * Applies the SQL files of the folder that are not applied yet, in the order of their names, each in a transaction of its
 * own; what runs meanwhile goes first. A file that was changed after it was applied is an error. Returns the names that were applied now.
 */
export async function migrate(options: MigrationOptions): Promise<string[]> {
  const { url, applicationRole, grants, folder = MIGRATIONS_FOLDER, log = () => {} } = options;
  const client = new pg.Client({
    connectionString: url,
    application_name: 'migrate',
    connectionTimeoutMillis: 10_000,
    options: '-c search_path=public,pg_temp',
  });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await client.query(`CREATE TABLE IF NOT EXISTS schema_migration (
      name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
    const { rows } = await client.query<{ name: string; checksum: string }>(
      'SELECT name, checksum FROM schema_migration',
    );
    const known = new Map(rows.map(row => [row.name, row.checksum]));
    const applied: string[] = [];

    for (const name of (await readdir(folder)).filter(file => file.endsWith('.sql')).sort()) {
      const sql = await readFile(join(folder, name), 'utf8');
      const checksum = createHash('sha256').update(sql).digest('hex');
      const before = known.get(name);
      if (before === checksum) continue;
      if (before !== undefined) {
        throw new Error(
          `Migration ${name} was changed after it was applied. Put it back and write a new file instead.`,
        );
      }
      await yielding(name, log, () =>
        transaction(client, async () => {
          // Below deadlock_timeout (1 s): who waits crosswise with this transaction is never the one that is ended.
          await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT}`);
          await client.query(sql);
          await client.query('INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)', [name, checksum]);
        }),
      );
      applied.push(name);
      log(`applied ${name}`);
    }
    await transaction(client, () => grant(client, applicationRole, grants, log));
    return applied;
  } finally {
    await client.end();
  }
}

/**
 * A change of a table waits for all who use it, and all who come later wait behind it. So it gives way after a moment and tries again,
 * and the service that runs goes on. Gives up after a few minutes.
 */
async function yielding(name: string, log: (message: string) => void, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const { code } = error as { code?: string };
      if (attempt === ATTEMPTS || (code !== LOCK_NOT_AVAILABLE && code !== DEADLOCK_DETECTED)) throw error;
      if (attempt % 10 === 1) log(`${name} waits for locks of others (attempt ${attempt})`);
      // Not in step with a load that comes in rounds.
      await new Promise(resolve => setTimeout(resolve, 50 + Math.random() * Math.min(1_000, 50 * attempt)));
    }
  }
}

async function transaction(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    await work();
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/** Rights are set anew each time, so that default privileges of the server cannot widen them. */
async function grant(
  client: pg.Client,
  role: string | undefined,
  grants: Grants,
  log: (message: string) => void,
): Promise<void> {
  const { rows } = await client.query<{ me: string }>('SELECT current_user AS me');
  await client.query('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC');
  await client.query('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC');
  if (role === undefined || role === rows[0]?.me) {
    log(
      'The service uses the role that owns the schema: triggers protect its rows, rights do not. Give it its own role.',
    );
    return;
  }
  const app = client.escapeIdentifier(role);
  await client.query(`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${app}`);
  await client.query(`REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM ${app}`);
  await client.query(`REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM ${app}`);
  await client.query(`GRANT USAGE ON SCHEMA public TO ${app}`);
  await client.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${app}`);
  for (const name of grants.functions) {
    await client.query(`GRANT EXECUTE ON FUNCTION ${client.escapeIdentifier(name)} TO ${app}`);
  }
  for (const [table, rights] of Object.entries(grants.tables ?? {})) {
    await client.query(`GRANT ${rights.join(', ')} ON ${client.escapeIdentifier(table)} TO ${app}`);
  }
}

/** The user part of a database URL. */
export function roleOf(url: string | undefined): string | undefined {
  return url ? decodeURIComponent(new URL(url).username) || undefined : undefined;
}
