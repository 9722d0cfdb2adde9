import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { connect as connectReal } from 'amqplib';
import { Registry } from 'prom-client';
import { rabbitBroker, type RabbitOptions } from '../../src/platform/events/brokers/rabbitmq.ts';
import { RabbitConsumer } from '../../src/platform/events/consumer.ts';
import { EventSchemas, type CloudEvent, type OutgoingEvent } from '../../src/platform/events/event.ts';
import { Inbox } from '../../src/platform/events/inbox.ts';
import { ProblemError } from '../../src/platform/problems.ts';
import { createRuntime, type Runtime } from '../../src/platform/runtime.ts';
import { FakeRabbit } from '../support/rabbit.ts';
import { exampleEvent, sample, sampleDatabase, until, type SampleDatabase } from '../support/sample.ts';

const REAL = process.env.TEST_RABBITMQ_URL;

let database: SampleDatabase;
let runtime: Runtime;
let options: RabbitOptions;
let fake: FakeRabbit;
let queue: string;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  database = await sampleDatabase();
  runtime = createRuntime(sample(), { DATABASE_URL: database.url, LOG_LEVEL: 'silent' });
});
afterAll(async () => {
  await runtime.close();
  await database.drop();
});
beforeEach(() => {
  const name = randomUUID().slice(0, 8);
  fake = new FakeRabbit();
  queue = `test-${name}`;
  options = {
    url: REAL ?? 'amqp://guest:guest@127.0.0.1:1',
    exchange: `test-${name}.events`,
    connectionName: 'test',
    timeout: 5_000,
    ...(REAL ? {} : { connect: fake.connect }),
  };
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  if (!REAL) return;
  const connection = await connectReal(REAL);
  const channel = await connection.createChannel();
  for (const each of [queue, `${queue}.dead`, `${options.exchange}.unrouted`]) await channel.deleteQueue(each);
  for (const each of [options.exchange, `${options.exchange}.unrouted`]) await channel.deleteExchange(each);
  await connection.close();
});

const outgoing = (event = exampleEvent()): OutgoingEvent => ({ topic: 't', aggregateId: 'a', event });

function broker(changes: Partial<RabbitOptions> = {}) {
  const made = rabbitBroker({ ...options, ...changes });
  stops.push(() => made.close());
  return made;
}

async function ready(name: string): Promise<number> {
  if (!REAL) return fake.queues.get(name)?.ready.length ?? 0;
  const connection = await connectReal(REAL);
  const channel = await connection.createChannel();
  const { messageCount } = await channel.checkQueue(name);
  await connection.close();
  return messageCount;
}

function consumer(handle: (event: CloudEvent) => Promise<void>) {
  const inbox = new Inbox(runtime.database, new EventSchemas(), [{ type: exampleEvent().type, handle }]);
  const registry = new Registry();
  const made = new RabbitConsumer({ ...options, queue, inbox, logger: runtime.logger, registry, retryDelay: 1 });
  stops.push(() => made.stop());
  made.start();
  const count = async (outcome: string) =>
    Number(
      new RegExp(`events_received_total\\{outcome="${outcome}"\\} (\\d+)`).exec(await registry.metrics())?.[1] ?? 0,
    );
  return { stop: () => made.stop(), count };
}

describe(REAL ? 'a real RabbitMQ' : 'a RabbitMQ in memory', () => {
  it('has an event for good when it was confirmed, also when nobody listens yet', async () => {
    const sending = broker();
    await sending.connect();
    for (let i = 0; i < 20; i++) await sending.publish(outgoing());
    expect(await ready(`${options.exchange}.unrouted`)).toBe(20);
  });

  it('brings events to the inbox once, whoever sends them twice', async () => {
    const seen: string[] = [];
    const { count } = consumer(async event => {
      seen.push(event.id);
    });
    const sending = broker();
    await sending.connect();
    const events = Array.from({ length: 30 }, () => exampleEvent());
    // Until the queue is bound, events go elsewhere.
    await until(async () => {
      await sending.publish(outgoing(events[0]));
      return (await count('processed')) === 1;
    });
    await Promise.all([...events, ...events].map(event => sending.publish(outgoing(event))));
    await until(async () => (await count('processed')) === 30 && (await count('duplicate')) >= 31);
    expect(seen.sort()).toEqual(events.map(({ id }) => id).sort());
  });

  it('keeps what is no event of ours, and what is not taken in ten tries, in a queue of its own', async () => {
    let tries = 0;
    const { count } = consumer(async () => {
      tries += 1;
      throw new ProblemError('currency-mismatch', 'never');
    });
    const sending = broker();
    await sending.connect();
    await until(async () => {
      await sending.publish(outgoing(exampleEvent({ data: { id: 1 } })));
      return (await count('dead')) > 0;
    });
    await until(async () => (await ready(queue)) === 0);
    expect(tries).toBe(0);
    const before = await ready(`${queue}.dead`);
    await sending.publish(outgoing());
    await until(async () => (await count('retried')) === 10);
    await until(async () => (await ready(`${queue}.dead`)) === before + 1);
    expect(tries).toBe(10);
  });

  it('holds events while the database is away, without counting it against them', async () => {
    let away = true;
    let tries = 0;
    const { count } = consumer(async () => {
      tries += 1;
      if (away && tries >= 3) away = false;
      if (away) throw new ProblemError('database-unavailable', 'away');
    });
    const sending = broker();
    await sending.connect();
    const event = exampleEvent();
    await until(async () => {
      await sending.publish(outgoing(event));
      return tries > 0;
    });
    await until(async () => (await count('processed')) === 1);
    expect(await count('retried')).toBe(0);
  });

  it('an event that was begun when the service stops comes again', async () => {
    let begun = false;
    const first = consumer(async () => {
      begun = true;
      throw new ProblemError('database-unavailable', 'away');
    });
    const sending = broker();
    await sending.connect();
    const event = exampleEvent();
    await until(async () => {
      if (!begun) await sending.publish(outgoing(event));
      return begun;
    });
    await first.stop();
    const seen: string[] = [];
    consumer(async ({ id }) => {
      seen.push(id);
    });
    await until(() => seen.length === 1);
    expect(seen).toEqual([event.id]);
  });
});

// What only a broker does that can be told to misbehave.
describe('a broker that goes away', () => {
  beforeEach(() => {
    options = { ...options, connect: fake.connect };
  });

  it('is noticed before anything is taken, and found again', async () => {
    const sending = broker();
    fake.away = true;
    await expect(sending.connect()).rejects.toThrow('ECONNREFUSED');
    await expect(sending.publish(outgoing())).rejects.toThrow('was lost');
    fake.away = false;
    await sending.connect();
    await sending.publish(outgoing());
    fake.goAway();
    await expect(sending.publish(outgoing())).rejects.toThrow();
    fake.away = false;
    await sending.connect();
    await sending.publish(outgoing());
    expect(fake.queues.get(`${options.exchange}.unrouted`)!.ready).toHaveLength(2);
  });

  it('has not got an event that it does not confirm in time', async () => {
    const sending = broker({ timeout: 30 });
    await sending.connect();
    fake.silent = true;
    await expect(sending.publish(outgoing())).rejects.toThrow('did not confirm within 30 ms');
  });

  it('is waited for by the consumer', async () => {
    fake.away = true;
    const seen: string[] = [];
    consumer(async ({ id }) => {
      seen.push(id);
    });
    fake.away = false;
    const sending = broker();
    await sending.connect();
    const send = (event: CloudEvent) =>
      until(async () => {
        await sending.connect();
        await sending.publish(outgoing(event)).catch(() => {});
        return seen.includes(event.id);
      });
    await send(exampleEvent());
    fake.goAway();
    fake.away = false;
    await send(exampleEvent());
    expect(new Set(seen).size).toBe(2);
  });
});
