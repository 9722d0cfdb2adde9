import { createHash } from 'node:crypto';
import type { Knex } from 'knex';

/** Statements that one connection remembers at most; PostgreSQL keeps the plan of each in the memory of that connection. */
const MAX_STATEMENTS = 200;
const MAX_LENGTH = 4_000;

/**
 * A plan that was made for an empty table reads all of it, which is wrong a burst of pushes later, and PostgreSQL itself looks at a
 * table's growth only once a minute. So plans are dropped often while the catalog is being filled after a start, which may be the first,
 * then as often as PostgreSQL looks, and whenever what was handed to the catalog has doubled.
 */
const YOUNG_PLAN_LIFE_MS = 2_000;
const PLAN_LIFE_MS = 60_000;
const YOUNG_FOR_MS = 60_000;
/** Entities whose coming makes no difference to a plan. */
const FEW_ENTITIES = 100;

/**
 * The columns of such a statement follow the table. A migration of another replica would change them, and PostgreSQL refuses to run
 * a prepared statement whose columns changed.
 */
const ANY_COLUMNS = /\b(select|returning)\s+(distinct\s+)?\*|\.\*|"\*"/i;

/**
 * Lets PostgreSQL parse and plan the statements of this client once for each connection instead of every time: the catalog's engine
 * runs the same two dozen for every entity. Does nothing on other databases. A pooler between the two must keep prepared statements
 * for its clients (PgBouncer from 1.21 on does).
 *
 * @returns is to be told how many entities the catalog was just given
 */
export function prepareStatements(db: Knex): (added: number) => void {
  if (db.client.config.client !== 'pg') {
    return () => {};
  }
  const grow = forgetOldPlans(db);
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
  return grow;
}

/** Before a connection is used, its plans are dropped when they are old; the parsed statements stay. */
function forgetOldPlans(db: Knex): (added: number) => void {
  const planned = new WeakMap<object, { at: number; entities: number }>();
  const startedAt = Date.now();
  let entities = FEW_ENTITIES;
  db.client.pool.on(
    'acquireSuccess',
    (
      _eventId: number,
      connection: { query(sql: string): Promise<unknown> },
    ) => {
      const now = Date.now();
      const life =
        now - startedAt < YOUNG_FOR_MS ? YOUNG_PLAN_LIFE_MS : PLAN_LIFE_MS;
      const last = planned.get(connection);
      if (last && now - last.at < life && entities < 2 * last.entities) {
        return;
      }
      planned.set(connection, { at: now, entities });
      // The driver sends it before whatever comes next on this connection; one that is broken says so there.
      if (last) connection.query('DISCARD PLANS').catch(() => {});
    },
  );
  return added => {
    entities += added;
  };
}
