import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Callback, Connection, Statement } from './leanTransactions';

/** With which the catalog's engine asks for entities to process, and its stitcher for pages to make. */
const NEXT_TO_PROCESS =
  /^select .* from "refresh_state" .*for update skip locked$/is;
const NEXT_TO_STITCH =
  /^select .* from "stitch_queue" .*for update skip locked$/is;

const LOOK_MS = 50;

/**
 * Lets the catalog make the final pages of a large batch of entities after it processed them, not in between: each new service changes
 * the pages of its team, its system and what it depends on, and those would be made again for every one of them. While a batch is being
 * processed, the stitcher's question for work is answered later: when the engine has nothing left, or once in `maxWaitMs`, and then until
 * the stitcher's queue is empty. Only asking waits; nothing of the catalog's tables is touched, and other replicas are not held up.
 */
export class StitchPacer {
  readonly #maxWaitMs: number;
  readonly #batch: number;
  #busy = false;
  #waitUntil = 0;

  constructor(options: {
    /** How long pages may be put off, ms. */
    maxWaitMs: number;
    /** Entities handed over at once that make a large batch. */
    batch: number;
  }) {
    this.#maxWaitMs = options.maxWaitMs;
    this.#batch = options.batch;
  }

  /** The catalog was just given this many entities. */
  handedOver(entities: number): void {
    if (entities < this.#batch || this.#busy) return;
    this.#busy = true;
    this.#waitUntil = Date.now() + this.#maxWaitMs;
  }

  /** Watches the client of the catalog. */
  watch(db: Knex): void {
    if (db.client.config.client !== 'pg') return;
    const known = new WeakSet<object>();
    db.client.pool.on(
      'acquireSuccess',
      (_eventId: number, connection: Connection) => {
        if (known.has(connection)) return;
        known.add(connection);
        const send = connection.query.bind(connection);
        connection.query = (statement, callback) => {
          const text =
            typeof statement === 'string' ? statement : statement?.text;
          if (typeof text !== 'string' || typeof callback !== 'function') {
            return send(statement, callback);
          }
          if (NEXT_TO_PROCESS.test(text)) {
            return send(statement, (error, result) => {
              if (!rowsOf(result)) this.#busy = false;
              callback(error, result);
            });
          }
          if (NEXT_TO_STITCH.test(text)) {
            this.#later(send, statement, callback);
            return undefined;
          }
          return send(statement, callback);
        };
      },
    );
  }

  async #later(
    send: Connection['query'],
    statement: Statement,
    callback: Callback,
  ): Promise<void> {
    while (this.#busy && Date.now() < this.#waitUntil) {
      await sleep(LOOK_MS, undefined, { ref: false });
    }
    send(statement, (error, result) => {
      if (this.#busy && !rowsOf(result)) {
        this.#waitUntil = Date.now() + this.#maxWaitMs;
      }
      callback(error, result);
    });
  }
}

function rowsOf(result: unknown): number {
  return (result as { rows?: unknown[] } | undefined)?.rows?.length ?? 0;
}
