import type { Knex } from 'knex';

type Callback = (error: Error | null, result?: unknown) => void;
type Statement = { text?: unknown } | string;

/** The part of a connection of the driver that is used here. */
export interface Connection {
  query(statement: Statement, callback?: Callback): unknown;
}

const BEGIN = /^BEGIN;?$/i;
const COMMIT = /^COMMIT;?$/i;
const ROLLBACK = /^ROLLBACK;?$/i;
const SAVEPOINT = /^SAVEPOINT (\w+);?$/i;
const RELEASE = /^RELEASE SAVEPOINT (\w+);?$/i;
const ROLLBACK_TO = /^ROLLBACK TO SAVEPOINT (\w+);?$/i;

/** Reads rows of tables, locks none, and calls nothing that lives as long as its transaction. */
const READS =
  /^select (?!.*(?:\bfor (?:update|no key|share|key)\b|\bpg_|_config\()).* from "/is;

/**
 * Leaves out the statements of transactions that have no effect, each of which costs a way to PostgreSQL and back: a savepoint around
 * nothing, and the beginning and end of a transaction that wrote nothing. The catalog's engine has six of them for each entity. A
 * transaction begins with its first statement that needs one; whoever uses the connection sees no difference. Does nothing on other
 * databases.
 */
export async function leanTransactions(db: Knex): Promise<void> {
  if (db.client.config.client !== 'pg') {
    return;
  }
  const { rows } = await db.raw('show default_transaction_isolation');
  // At this level each statement sees what is committed when it starts, whether in a transaction or not.
  const readsAlone =
    rows[0]?.default_transaction_isolation === 'read committed';
  const known = new WeakSet<object>();
  db.client.pool.on(
    'acquireSuccess',
    (_eventId: number, connection: Connection) => {
      if (!known.has(connection)) {
        known.add(connection);
        makeLean(connection, { readsAlone });
      }
    },
  );
}

/** As `leanTransactions`, for one connection. `readsAlone`: a read outside of a transaction sees what it would see at its start. */
export function makeLean(
  connection: Connection,
  options: { readsAlone: boolean },
): void {
  const send = connection.query.bind(connection);
  /** Control statements that were answered and not sent; `BEGIN` only as the first. */
  let held: string[] = [];
  const answer = (callback: Callback, command: string) =>
    process.nextTick(callback, null, {
      command,
      rowCount: null,
      rows: [],
      fields: [],
    });
  /** Statements that came while what was held back is being sent. */
  let later: (() => void)[] | undefined;
  /** Sends what is held back, one after the other, and then the statement; a failure on the way is the statement's. */
  const sendAll = (statement: Statement, callback: Callback) => {
    const next = held.shift();
    if (next === undefined) {
      const came = later ?? [];
      later = undefined;
      send(statement, callback);
      came.forEach(run => run());
      return;
    }
    later ??= [];
    send(next, error => {
      if (!error) {
        sendAll(statement, callback);
        return;
      }
      held = [];
      const came = later ?? [];
      later = undefined;
      callback(error);
      came.forEach(run => run());
    });
  };
  /** Whether it was dealt with. */
  const control = (text: string, callback: Callback): boolean => {
    const notBegun = held.length > 0 && BEGIN.test(held[0]);
    if (BEGIN.test(text) || SAVEPOINT.test(text)) {
      held.push(text);
    } else if (RELEASE.test(text)) {
      const [, name] = RELEASE.exec(text)!;
      if (SAVEPOINT.exec(held[held.length - 1] ?? '')?.[1] !== name) {
        return false;
      }
      held.pop();
    } else if (COMMIT.test(text) || ROLLBACK.test(text)) {
      // Savepoints end with their transaction.
      held = [];
      if (!notBegun) return false;
    } else if (ROLLBACK_TO.test(text)) {
      const [, name] = ROLLBACK_TO.exec(text)!;
      const index = held.findIndex(
        statement => SAVEPOINT.exec(statement)?.[1] === name,
      );
      held = held.slice(0, index + 1);
      if (index < 0) return false;
    } else {
      return false;
    }
    answer(callback, text.split(/[ ;]/)[0].toUpperCase());
    return true;
  };
  connection.query = (statement, callback) => {
    const text = typeof statement === 'string' ? statement : statement?.text;
    if (typeof callback !== 'function' || typeof text !== 'string') {
      // Nobody asks this way in a transaction.
      return send(statement, callback);
    }
    if (later) {
      later.push(() => connection.query(statement, callback));
      return undefined;
    }
    if (control(text, callback)) return undefined;
    const isAlone =
      options.readsAlone &&
      held.length === 1 &&
      BEGIN.test(held[0]) &&
      READS.test(text);
    if (isAlone) return send(statement, callback);
    return sendAll(statement, callback);
  };
}
