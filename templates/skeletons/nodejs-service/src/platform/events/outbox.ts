import type { FastifyBaseLogger } from 'fastify';
import type pg from 'pg';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Database } from '../db/database.ts';
import type { Worker } from '../service.ts';
import { EventRefused, type Broker } from './broker.ts';
import type { CloudEvent, EventSchemas, OutgoingEvent } from './event.ts';

/** Events that are taken at a time. */
const BATCH = 500;
/** After this no further event of a batch is sent: an open transaction holds up whoever waits for old snapshots, the sealer first. */
const BATCH_MS = 2_000;
const LONGEST_TRANSACTION_MS = 120_000;
/** A refused event is tried again after a second, then after twice as long each time, up to this. */
const LONGEST_DELAY = 300_000;
/** Aggregates that may wait behind a refused event before the publisher stops as a whole. */
const MOST_WAITING = 1_000;

// The id is the row's, told apart from that of an earlier database of the same service by its time.
const CLAIM = `
  SELECT id::text, topic, aggregate_id, type, payload,
         to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time,
         (extract(epoch FROM created_at) * 1000000)::bigint::text AS micros
    FROM outbox WHERE published_at IS NULL AND aggregate_id <> ALL ($1)
   ORDER BY outbox.id LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`;

type Row = {
  id: string;
  topic: string;
  aggregate_id: string;
  type: string;
  payload: Record<string, unknown>;
  time: string;
  micros: string;
};

type Options = {
  database: Database;
  broker: Broker;
  schemas: EventSchemas;
  serviceName: string;
  /** Milliseconds between two looks at an empty outbox. */
  interval: number;
  logger: FastifyBaseLogger;
  registry: Registry;
  now?: () => number;
};

/**
 * Tells others what stands in the outbox: takes rows, has the broker confirm them, removes them. A row is removed only after it was
 * confirmed, so each event is told at least once. Events of one aggregate are told one after the other.
 */
export class OutboxPublisher implements Worker {
  readonly name = 'publish-events';
  readonly interval: number;
  readonly #options: Options;
  readonly #now: () => number;
  readonly #waiting = new Map<string, { until: number; attempts: number }>();
  readonly #published: Counter;
  readonly #refused: Counter;

  constructor(options: Options) {
    this.#options = options;
    this.interval = options.interval;
    this.#now = options.now ?? Date.now;
    const { registry, database } = options;
    const registers = [registry];
    this.#published = new Counter({
      name: 'outbox_published_total',
      help: 'Events that the broker confirmed.',
      labelNames: ['type'],
      registers,
    });
    this.#refused = new Counter({
      name: 'outbox_refused_total',
      help: 'Times that an event was not taken, by the broker or because it does not keep its schema.',
      labelNames: ['type'],
      registers,
    });
    new Gauge({
      name: 'outbox_oldest_age_seconds',
      help: 'Age of the oldest event that is not published, 0 when there is none. Absent while the database is away.',
      registers,
      async collect() {
        const age = await oldestAge(database).catch(() => undefined);
        if (age === undefined) this.remove();
        else this.set(age);
      },
    });
  }

  /** Tells what is there. Resolves to true when there may be more. Throws when the broker or the database is away. */
  async run(signal: AbortSignal): Promise<boolean> {
    const { broker, database } = this.#options;
    // First the broker: without it no row is locked, and no open transaction holds up others.
    await broker.connect();
    const { more, failure } = await database.transaction(async client => {
      await client.query(`SET LOCAL idle_in_transaction_session_timeout = ${LONGEST_TRANSACTION_MS}`);
      const { rows } = await client.query<Row>({ name: 'outbox_claim', text: CLAIM, values: [this.#blocked()] });
      const { confirmed, failure } = await this.#tell(rows, signal);
      if (confirmed.length > 0) {
        await client.query({
          name: 'outbox_done',
          text: 'DELETE FROM outbox WHERE id = ANY ($1)',
          values: [confirmed],
        });
      }
      return { more: rows.length === BATCH || confirmed.length < rows.length, failure };
    });
    // Only now: what was confirmed before the failure is removed for good.
    if (failure !== undefined) throw failure;
    return more;
  }

  #blocked(): string[] {
    const now = this.#now();
    return [...this.#waiting].filter(([, { until }]) => until > now).map(([aggregate]) => aggregate);
  }

  /** Aggregates side by side, the events of each one after the other. */
  async #tell(rows: Row[], signal: AbortSignal): Promise<{ confirmed: string[]; failure: unknown }> {
    const queues = new Map<string, Row[]>();
    for (const row of rows) {
      const queue = queues.get(row.aggregate_id);
      if (queue) queue.push(row);
      else queues.set(row.aggregate_id, [row]);
    }
    const confirmed: string[] = [];
    let failure: unknown;
    const stopAt = performance.now() + BATCH_MS;
    const todo = queues.values();
    const work = async () => {
      for (const queue of todo) {
        for (const row of queue) {
          if (failure !== undefined || signal.aborted || performance.now() > stopAt) return;
          try {
            await this.#tellOne(row);
            confirmed.push(row.id);
          } catch (error) {
            if (!(error instanceof EventRefused)) {
              failure ??= error;
              return;
            }
            this.#postpone(row, error);
            break;
          }
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#options.broker.concurrency, queues.size) }, work));
    if (failure === undefined && this.#waiting.size > MOST_WAITING) {
      failure = new Error(`${this.#waiting.size} aggregates wait behind events that are not taken`);
    }
    return { confirmed, failure };
  }

  async #tellOne(row: Row): Promise<void> {
    const { broker, schemas } = this.#options;
    const outgoing = this.#envelope(row);
    const faults = schemas.faults(outgoing.event);
    if (faults.length > 0) {
      const first = faults.slice(0, 3).map(fault => `${fault.pointer || '/'} ${fault.message}`);
      throw new EventRefused(`the event does not keep the schema of ${row.type}: ${first.join('; ')}`);
    }
    await broker.publish(outgoing);
    this.#published.inc({ type: row.type });
    this.#waiting.delete(row.aggregate_id);
  }

  #envelope(row: Row): OutgoingEvent {
    const event: CloudEvent = {
      specversion: '1.0',
      id: `${BigInt(row.micros).toString(36)}-${row.id}`,
      source: `/services/${this.#options.serviceName}`,
      type: row.type,
      time: row.time,
      datacontenttype: 'application/json',
      subject: row.aggregate_id,
      data: row.payload,
    };
    return { topic: row.topic, aggregateId: row.aggregate_id, event };
  }

  #postpone(row: Row, error: EventRefused): void {
    const attempts = (this.#waiting.get(row.aggregate_id)?.attempts ?? 0) + 1;
    const delay = Math.min(LONGEST_DELAY, 1_000 * 2 ** (attempts - 1));
    this.#waiting.set(row.aggregate_id, { until: this.#now() + delay, attempts });
    this.#refused.inc({ type: row.type });
    const about = { err: error, outboxId: row.id, type: row.type, attempts };
    this.#options.logger.error(about, 'an event was not taken; it and those of its aggregate wait');
  }
}

async function oldestAge(database: Database): Promise<number> {
  const [row] = await database.run<{ age: number }>(
    {
      name: 'outbox_age',
      text: `SELECT greatest(0, extract(epoch FROM clock_timestamp() - created_at))::float8 AS age
               FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT 1`,
    },
    [],
  );
  return row?.age ?? 0;
}

/** Adds an event within a transaction. Throws before anything is written when it does not keep the schema of its type. */
export async function addToOutbox(
  client: pg.ClientBase,
  schemas: EventSchemas,
  event: { topic: string; aggregateId: string; type: string; data: Record<string, unknown> },
): Promise<void> {
  const { topic, aggregateId, type, data } = event;
  const faults = schemas.faults({
    specversion: '1.0',
    id: 'new',
    source: '/',
    type,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    subject: aggregateId,
    data,
  });
  if (faults.length > 0) {
    const all = faults.map(fault => `${fault.pointer || '/'} ${fault.message}`).join('; ');
    throw new Error(`the event does not keep the schema of ${type}: ${all}`);
  }
  await client.query({
    name: 'outbox_add',
    text: 'INSERT INTO outbox (topic, aggregate_id, type, payload) VALUES ($1, $2, $3, $4)',
    values: [topic, aggregateId, type, JSON.stringify(data)],
  });
}
