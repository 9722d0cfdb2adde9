import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { EventRefused, type Broker } from '../../src/platform/events/broker.ts';
import { EventSchemas, type OutgoingEvent } from '../../src/platform/events/event.ts';
import { addToOutbox, OutboxPublisher } from '../../src/platform/events/outbox.ts';
import { createRuntime, type Runtime } from '../../src/platform/runtime.ts';
import { exampleEvent, sample, sampleDatabase, type SampleDatabase } from '../support/sample.ts';

let database: SampleDatabase;
let runtime: Runtime;
const log: string[] = [];
beforeAll(async () => {
  database = await sampleDatabase();
  runtime = createRuntime(sample(), { DATABASE_URL: database.url }, { log: { write: line => log.push(line) } });
});
afterAll(async () => {
  await runtime.close();
  await database.drop();
});
beforeEach(() => database.owner.query('TRUNCATE outbox'));

const { type, data } = exampleEvent();
const running = new AbortController().signal;

/** Writes events of these aggregates, in this order; the sequence number is the external reference. */
async function write(...aggregates: string[]): Promise<void> {
  for (const [i, aggregate] of aggregates.entries()) {
    const payload = { ...data, externalRef: String(i) };
    await database.owner.query('INSERT INTO outbox (topic, aggregate_id, type, payload) VALUES ($1, $2, $3, $4)', [
      'transactions',
      aggregate,
      type,
      JSON.stringify(payload),
    ]);
  }
}

const left = async () =>
  (await database.owner.query<{ n: number }>('SELECT count(*)::int AS n FROM outbox')).rows[0]!.n;

type FakeBroker = Broker & {
  told: OutgoingEvent[];
  away: boolean;
  refuse: (event: OutgoingEvent) => boolean;
  most: number;
};

function fakeBroker(): FakeBroker {
  let sending = 0;
  const broker: FakeBroker = {
    name: 'fake',
    concurrency: 8,
    told: [],
    away: false,
    most: 0,
    refuse: () => false,
    async connect() {
      if (broker.away) throw new Error('the broker is away');
    },
    async publish(event) {
      sending += 1;
      broker.most = Math.max(broker.most, sending);
      // Answers come in any order, as those of a network do.
      await new Promise(resolve => (Math.random() < 0.5 ? setImmediate(resolve) : process.nextTick(resolve)));
      sending -= 1;
      if (broker.away) throw new Error('the connection was lost');
      if (broker.refuse(event)) throw new EventRefused('not this one');
      broker.told.push(event);
    },
    close: async () => {},
  };
  return broker;
}

function publisher(broker: Broker, now?: () => number) {
  const { logger } = runtime;
  const registry = new Registry();
  const schemas = new EventSchemas();
  const worker = new OutboxPublisher({
    database: runtime.database,
    broker,
    schemas,
    serviceName: 'wallet',
    interval: 10,
    logger,
    registry,
    ...(now ? { now } : {}),
  });
  return { worker, registry };
}

async function drain(worker: OutboxPublisher): Promise<void> {
  while (await worker.run(running));
}

const order = (told: OutgoingEvent[], aggregate: string) =>
  told.filter(event => event.aggregateId === aggregate).map(({ event }) => Number(event.data.externalRef));

describe('the publisher', () => {
  it('tells every event once, those of an aggregate in their order, several aggregates side by side', async () => {
    const names = Array.from({ length: 1_200 }, (_, i) => `a${i % 40}`);
    await write(...names);
    const broker = fakeBroker();
    const { worker } = publisher(broker);
    await drain(worker);
    expect(await left()).toBe(0);
    expect(broker.told).toHaveLength(1_200);
    for (const name of new Set(names)) {
      const seen = order(broker.told, name);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
    }
    expect(broker.most).toBeGreaterThan(1);
    expect(broker.most).toBeLessThanOrEqual(8);
  });

  it('makes a CloudEvent of each that keeps its schema and has a name of its own', async () => {
    await write('x', 'x');
    const broker = fakeBroker();
    await drain(publisher(broker).worker);
    const [first, second] = broker.told.map(({ event }) => event);
    expect(first).toMatchObject({
      specversion: '1.0',
      source: '/services/wallet',
      type,
      subject: 'x',
      datacontenttype: 'application/json',
      data: { externalRef: '0' },
    });
    expect(new EventSchemas().faults(first!)).toEqual([]);
    expect(first!.id).not.toBe(second!.id);
  });

  it('loses nothing while the broker is away, says how old the oldest is, and recovers', async () => {
    await write('x', 'y', 'x');
    await database.owner.query(`UPDATE outbox SET created_at = now() - interval '5 minutes'`);
    const broker = fakeBroker();
    broker.away = true;
    const { worker, registry } = publisher(broker);
    for (let i = 0; i < 20; i++) await expect(worker.run(running)).rejects.toThrow('the broker is away');
    expect(await left()).toBe(3);
    const age = Number(/^outbox_oldest_age_seconds (\S+)/m.exec(await registry.metrics())?.[1]);
    expect(age).toBeGreaterThanOrEqual(300);
    broker.away = false;
    await drain(worker);
    expect(order(broker.told, 'x')).toEqual([0, 2]);
    expect(await left()).toBe(0);
    expect(await registry.metrics()).toMatch(/^outbox_oldest_age_seconds 0$/m);
  });

  it('keeps what was confirmed before the broker went away in the middle, and tells the rest again', async () => {
    await write(...Array.from({ length: 100 }, (_, i) => `a${i % 5}`));
    const broker = fakeBroker();
    broker.refuse = () => {
      if (broker.told.length === 30) broker.away = true;
      return false;
    };
    const { worker } = publisher(broker);
    await expect(worker.run(running)).rejects.toThrow('the connection was lost');
    expect(broker.told.length + (await left())).toBe(100);
    broker.away = false;
    broker.refuse = () => false;
    await drain(worker);
    for (let i = 0; i < 5; i++) {
      expect(order(broker.told, `a${i}`)).toEqual(Array.from({ length: 20 }, (_, n) => n * 5 + i));
    }
  });

  it('goes on with others behind an event that is refused, and comes back to it later and later', async () => {
    await write('bad', 'good', 'bad', 'good');
    const broker = fakeBroker();
    broker.refuse = ({ aggregateId }) => aggregateId === 'bad';
    let now = 0;
    const { worker, registry } = publisher(broker, () => now);
    await drain(worker);
    expect(order(broker.told, 'good')).toEqual([1, 3]);
    expect(await left()).toBe(2);
    await drain(worker);
    expect(await registry.metrics()).toContain(`outbox_refused_total{type="${type}"} 1\n`);
    now = 1_000;
    await drain(worker);
    expect(await registry.metrics()).toContain(`outbox_refused_total{type="${type}"} 2\n`);
    now = 2_999;
    await drain(worker);
    expect(await registry.metrics()).toContain(`outbox_refused_total{type="${type}"} 2\n`);
    broker.refuse = () => false;
    now = 3_000;
    await drain(worker);
    expect(order(broker.told, 'bad')).toEqual([0, 2]);
  });

  it('does not tell what does not keep its schema, and keeps it', async () => {
    await write('x', 'fine');
    await database.owner.query(`UPDATE outbox SET payload = '{"id":1}' WHERE aggregate_id = 'x'`);
    const broker = fakeBroker();
    await drain(publisher(broker).worker);
    expect(broker.told.map(({ aggregateId }) => aggregateId)).toEqual(['fine']);
    expect(await left()).toBe(1);
    expect(log.join('')).toContain('does not keep the schema');
  });

  it('stops soon when it is told to', async () => {
    await write(...Array.from({ length: 50 }, (_, i) => `a${i}`));
    const broker = fakeBroker();
    const stop = new AbortController();
    broker.refuse = () => {
      stop.abort();
      return false;
    };
    await publisher(broker).worker.run(stop.signal);
    expect(broker.told.length).toBeLessThanOrEqual(8);
    expect(broker.told.length + (await left())).toBe(50);
  });

  it('two at the same time tell nothing twice', async () => {
    await write(...Array.from({ length: 1_000 }, (_, i) => `a${i}`));
    const broker = fakeBroker();
    await Promise.all([drain(publisher(broker).worker), drain(publisher(broker).worker)]);
    await drain(publisher(broker).worker);
    expect(new Set(broker.told.map(({ event }) => event.id)).size).toBe(1_000);
    expect(broker.told).toHaveLength(1_000);
  });

  it('leaves its age out while the database is away', async () => {
    const away = createRuntime(sample(), { DATABASE_URL: 'postgresql://x@127.0.0.1:1/x', LOG_LEVEL: 'silent' });
    expect(await away.registry.metrics()).not.toMatch(/^outbox_oldest_age_seconds /m);
    await away.close();
  });
});

describe('writing to the outbox', () => {
  it('refuses an event that does not keep its schema before anything is written', async () => {
    const schemas = new EventSchemas();
    const add = (changes: Record<string, unknown>, as = type) =>
      runtime.database.transaction(client =>
        addToOutbox(client, schemas, { topic: 't', aggregateId: 'x', type: as, data: { ...data, ...changes } }),
      );
    await expect(add({ legs: 'none' })).rejects.toThrow(/does not keep the schema of transaction.posted.v1: .*legs/);
    await expect(add({}, 'no.such.type')).rejects.toThrow('has no schema');
    expect(await left()).toBe(0);
    await add({});
    expect(await left()).toBe(1);
  });

  it('is undone with its transaction', async () => {
    const attempt = runtime.database.transaction(async client => {
      const event = { topic: 't', aggregateId: 'x', type, data };
      await addToOutbox(client, new EventSchemas(), event);
      throw new Error('changed my mind');
    });
    await expect(attempt).rejects.toThrow('changed my mind');
    expect(await left()).toBe(0);
  });
});
