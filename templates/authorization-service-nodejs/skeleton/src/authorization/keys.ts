import type { Database, Statement } from '../platform/db/database.ts';
import type { Caller } from '../platform/http/idempotency.ts';
import { ProblemError } from '../platform/problems.ts';

const KNOWN: Statement = {
  name: 'key_known',
  text: `SELECT EXISTS (SELECT 1 FROM idempotency WHERE client_id = $1 AND key = $2) AS known, clock_timestamp() AS now`,
};
const HOUR = 3_600_000;

/** The time in a key that is a UUIDv7, in milliseconds since 1970; undefined for every other key. */
export function keyTime(key: string): number | undefined {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(key)) return undefined;
  return Number.parseInt(key.slice(0, 8) + key.slice(9, 13), 16);
}

/**
 * Refuses keys that say themselves that they are older than what is remembered: whether they were used can no longer be told. Keys
 * without a time are taken; messages of the network are known by their reference and by the events of the authorization as well.
 */
export class OldKeys {
  readonly #database: Database;
  readonly #hours: number;

  constructor(database: Database, hours: number) {
    this.#database = database;
    this.#hours = hours;
  }

  /** Throws idempotency-key-expired. An answer that is still there is given again. */
  async refuse({ clientId, idempotencyKey }: Caller, now = Date.now()): Promise<void> {
    const time = keyTime(idempotencyKey);
    if (time === undefined || time >= now - this.#hours * HOUR) return;
    // By the clock of the database, which all replicas share; ours only spares the question for keys that are young.
    const [row] = await this.#database.run<{ known: boolean; now: Date }>(KNOWN, [clientId, idempotencyKey]);
    if (row!.known || time >= row!.now.getTime() - this.#hours * HOUR) return;
    throw new ProblemError(
      'idempotency-key-expired',
      `Keys are remembered for ${this.#hours} hours; this one is older. Look for what it was to do before you send it anew.`,
      { errors: [{ pointer: '#/header/Idempotency-Key', code: 'expired', message: 'is too old' }] },
    );
  }
}
