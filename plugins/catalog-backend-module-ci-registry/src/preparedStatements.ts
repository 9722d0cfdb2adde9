import { createHash } from 'node:crypto';
import type { Knex } from 'knex';

/** Statements that one connection remembers at most; PostgreSQL keeps the plan of each in the memory of that connection. */
const MAX_STATEMENTS = 200;
const MAX_LENGTH = 4_000;

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
