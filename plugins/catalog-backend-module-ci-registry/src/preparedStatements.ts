import { createHash } from 'node:crypto';
import type { Knex } from 'knex';

/** Statements that one connection remembers at most; PostgreSQL keeps the plan of each in the memory of that connection. */
const MAX_STATEMENTS = 200;
const MAX_LENGTH = 4_000;

/**
 * A plan is kept no longer than this. One that was made for an empty table reads all of it, which is wrong a burst of pushes later,
 * and PostgreSQL itself looks at a table's growth only once a minute.
 */
const PLAN_LIFE_MS = 2_000;

/**
 * The columns of such a statement follow the table. A migration of another replica would change them, and PostgreSQL refuses to run
 * a prepared statement whose columns changed.
 */
const ANY_COLUMNS = /\b(select|returning)\s+(distinct\s+)?\*|\.\*|"\*"/i;

/**
 * Lets PostgreSQL parse and plan the statements of this client once for each connection instead of every time: the catalog's engine
 * runs the same two dozen for every entity. Does nothing on other databases. A pooler between the two must keep prepared statements
 * for its clients (PgBouncer from 1.21 on does).
 */
export function prepareStatements(db: Knex): void {
  if (db.client.config.client !== 'pg') {
    return;
  }
  forgetOldPlans(db);
  const names = new Map<string, string>();
  // Emitted just before a statement is sent; its options go on to the driver, which prepares what has a name.
  db.on('query', (query: { sql: string; options?: { name?: string } }) => {
    const { sql, options } = query;
    if (!options || options.name !== undefined) {
      return;
    }
    let name = names.get(sql);
    if (name === undefined) {
      if (
        names.size >= MAX_STATEMENTS ||
        sql.length > MAX_LENGTH ||
        ANY_COLUMNS.test(sql)
      ) {
        return;
      }
      name = `rocket_${createHash('sha256')
        .update(sql)
        .digest('hex')
        .slice(0, 24)}`;
      names.set(sql, name);
    }
    options.name = name;
  });
}

/** Before a connection is used, its plans are dropped when they are old; the parsed statements stay. */
function forgetOldPlans(db: Knex): void {
  const plannedSince = new WeakMap<object, number>();
  db.client.pool.on(
    'acquireSuccess',
    (
      _eventId: number,
      connection: { query(sql: string): Promise<unknown> },
    ) => {
      const now = Date.now();
      if (now - (plannedSince.get(connection) ?? 0) < PLAN_LIFE_MS) {
        return;
      }
      plannedSince.set(connection, now);
      // The driver sends it before whatever comes next on this connection; one that is broken says so there.
      connection.query('DISCARD PLANS').catch(() => {});
    },
  );
}
