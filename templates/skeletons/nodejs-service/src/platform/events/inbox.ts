import type pg from 'pg';
import type { Database } from '../db/database.ts';
import { ProblemError, type FieldError } from '../problems.ts';
import type { CloudEvent, EventSchemas } from './event.ts';

/** What a service does about events of one type. */
export type Consumer = {
  type: string;
  /**
   * Called within the transaction that remembers the event: what it writes with this client happens exactly once. What it does elsewhere
   * must carry a key of its own, because the event comes again when the transaction fails. Throws to have it again later; 'ignored' says
   * that there was nothing to do.
   */
  handle(event: CloudEvent, client: pg.ClientBase): Promise<void | 'ignored'>;
};

export type Outcome = 'processed' | 'ignored' | 'duplicate';

/** Takes events of others, each one once, whatever way and however often it comes. */
export class Inbox {
  readonly #database: Database;
  readonly #schemas: EventSchemas;
  readonly #consumers: ReadonlyMap<string, Consumer>;

  constructor(database: Database, schemas: EventSchemas, consumers: readonly Consumer[]) {
    this.#database = database;
    this.#schemas = schemas;
    this.#consumers = new Map(consumers.map(consumer => [consumer.type, consumer]));
  }

  /** The types that somebody here waits for. */
  get types(): string[] {
    return [...this.#consumers.keys()];
  }

  /** Throws validation-failed when the event does not keep the schema of its type, and what the consumer throws. */
  async receive(event: CloudEvent): Promise<Outcome> {
    const consumer = this.#consumers.get(event.type);
    if (consumer === undefined) return 'ignored';
    const faults = this.#schemas.faults(event);
    if (faults.length > 0) {
      const errors: FieldError[] = faults.slice(0, 20).map(fault => ({ ...fault, code: 'schema' }));
      const detail = errors.map(({ pointer, message }) => `${pointer || '/'} ${message}`).join('; ');
      throw new ProblemError('validation-failed', detail, { errors });
    }
    return this.#database.transaction(async client => {
      const { rowCount } = await client.query({
        name: 'inbox_take',
        text: 'INSERT INTO inbox (source, event_id, type) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
        values: [event.source, event.id, event.type],
      });
      if (rowCount === 0) return 'duplicate';
      return (await consumer.handle(event, client)) ?? 'processed';
    });
  }
}
