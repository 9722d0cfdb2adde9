import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { FastifyBaseLogger } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import { ProblemError } from '../problems.ts';
import { pause } from '../workers.ts';
import { declareExchange, openRabbit, type RabbitOptions } from './brokers/rabbitmq.ts';
import type { CloudEvent } from './event.ts';
import type { Inbox } from './inbox.ts';

/** Messages that are being handled at a time. They may overtake each other. */
const PREFETCH = 32;
/** RabbitMQ counts how often a message came again: nine times after the first is ten tries. */
const REDELIVERIES = 9;
const LONGEST_WAIT = 30_000;

type Options = RabbitOptions & {
  /** Named after the service: its replicas share the work. */
  queue: string;
  inbox: Inbox;
  logger: FastifyBaseLogger;
  registry: Registry;
  /** Milliseconds before an event is tried for the second time; then twice as long each time, up to half a minute. */
  retryDelay?: number;
};

/** Takes events from RabbitMQ into the inbox. What is not taken after ten tries, or is no event, ends up in the queue `<queue>.dead`. */
export class RabbitConsumer {
  readonly #options: Options;
  readonly #received: Counter;
  readonly #stopping = new AbortController();
  readonly #handling = new Set<Promise<void>>();
  #loop: Promise<void> | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#received = new Counter({
      name: 'events_received_total',
      help: 'Messages from the broker by what became of them.',
      labelNames: ['outcome'],
      registers: [options.registry],
    });
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Takes nothing new, finishes what has begun. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failed = 0;
    while (!signal.aborted) {
      let connection: ChannelModel | undefined;
      try {
        connection = await openRabbit(this.#options);
        const lost = new Promise<void>(resolve => {
          connection!.on('error', () => {});
          connection!.on('close', () => resolve());
        });
        const { channel, tag } = await this.#subscribe(connection);
        failed = 0;
        await Promise.race([lost, aborted(signal)]);
        if (signal.aborted) await channel.cancel(tag).catch(() => {});
        await Promise.all(this.#handling);
      } catch (error) {
        failed += 1;
        this.#options.logger.warn({ err: error, failed }, 'no events from RabbitMQ');
      } finally {
        await connection?.close().catch(() => {});
      }
      await pause(Math.min(LONGEST_WAIT, 250 * 2 ** Math.min(failed, 7)), signal);
    }
  }

  async #subscribe(connection: ChannelModel): Promise<{ channel: Channel; tag: string }> {
    const { queue, exchange, inbox } = this.#options;
    const channel = await connection.createChannel();
    // A channel that breaks takes the connection with it, so that both begin anew.
    channel.on('error', () => void connection.close().catch(() => {}));
    await declareExchange(channel, exchange);
    const dead = `${queue}.dead`;
    await channel.assertQueue(dead, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.assertQueue(queue, {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': REDELIVERIES,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': dead,
      },
    });
    for (const type of inbox.types) await channel.bindQueue(queue, exchange, type);
    await channel.prefetch(PREFETCH);
    const { consumerTag } = await channel.consume(queue, message => {
      if (message === null) return;
      const handled = this.#take(channel, message).finally(() => this.#handling.delete(handled));
      this.#handling.add(handled);
    });
    return { channel, tag: consumerTag };
  }

  async #take(channel: Channel, message: ConsumeMessage): Promise<void> {
    const { logger } = this.#options;
    let outcome: string;
    try {
      outcome = await this.#receive(message);
      channel.ack(message);
    } catch (error) {
      const again = !(error instanceof ProblemError) || error.code !== 'validation-failed';
      outcome = again ? 'retried' : 'dead';
      logger.warn({ err: error, messageId: message.properties.messageId, outcome }, 'an event was not taken');
      if (again) await pause(this.#delay(message), this.#stopping.signal);
      try {
        channel.nack(message, false, again);
      } catch {
        // The channel is closed: the broker gives the message to somebody else.
      }
    }
    this.#received.inc({ outcome });
  }

  #delay(message: ConsumeMessage): number {
    const count = Number(message.properties.headers?.['x-delivery-count'] ?? 0);
    return Math.min(LONGEST_WAIT, (this.#options.retryDelay ?? 100) * 2 ** count);
  }

  /** While the database is away the message is kept, because that says nothing about the message. */
  async #receive(message: ConsumeMessage): Promise<string> {
    const { signal } = this.#stopping;
    const event = parse(message);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#options.inbox.receive(event);
      } catch (error) {
        const away = error instanceof ProblemError && error.status === 503;
        if (!away || signal.aborted) throw error;
        await pause(Math.min(LONGEST_WAIT, 250 * 2 ** attempt), signal);
      }
    }
  }
}

function parse(message: ConsumeMessage): CloudEvent {
  let event: Partial<CloudEvent> | undefined;
  try {
    event = JSON.parse(message.content.toString('utf8')) as Partial<CloudEvent>;
  } catch {
    // Told below.
  }
  for (const name of ['id', 'source', 'type'] as const) {
    if (typeof event?.[name] !== 'string')
      throw new ProblemError('validation-failed', `${name} of the event is missing`);
  }
  return event as CloudEvent;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
