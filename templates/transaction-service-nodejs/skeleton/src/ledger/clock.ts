import type { Database } from '../platform/db/database.ts';
import { uuidv7 } from '../platform/ids.ts';

/** Below this the difference is the way to the database, not a wrong clock. */
const TOLERANCE = 250;

/**
 * The time of the database, as well as it is known here. Ids and the age of keys go by it, so a replica whose own clock is wrong makes
 * the same ones as the others. Every posting that is answered corrects it.
 */
export class LedgerClock {
  readonly #local: () => number;
  #offset = 0;

  constructor(local: () => number = Date.now) {
    this.#local = local;
  }

  /** Milliseconds since 1970, whole. */
  now(): number {
    return Math.floor(this.#local() + this.#offset);
  }

  newId(): string {
    return uuidv7(this.now());
  }

  /** The database said `time` (RFC 3339) in an answer to what was sent at `sent` by the local clock. */
  observe(time: string, sent: number): void {
    const received = this.#local();
    const offset = Date.parse(time) - (sent + received) / 2;
    if (Math.abs(offset - this.#offset) > TOLERANCE + (received - sent) / 2) this.#offset = offset;
  }

  /** Milliseconds of the local clock, for `observe`. */
  started(): number {
    return this.#local();
  }

  async synchronize(database: Database): Promise<void> {
    const sent = this.#local();
    const [row] = await database.run<{ now: Date }>({ name: 'clock', text: 'SELECT clock_timestamp() AS now' }, []);
    this.observe(row!.now.toISOString(), sent);
  }
}
