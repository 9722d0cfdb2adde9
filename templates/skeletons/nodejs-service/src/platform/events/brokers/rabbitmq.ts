import { connect, type Channel, type ChannelModel, type ConfirmChannel } from 'amqplib';
import type { Broker } from '../broker.ts';
import { CLOUDEVENT_MEDIA_TYPE } from '../event.ts';

export type RabbitOptions = {
  url: string;
  exchange: string;
  connectionName: string;
  /** Milliseconds to connect, and for one confirmation. */
  timeout: number;
  /** Opens the connection, instead of the client library. */
  connect?: typeof connect;
};

/** Seconds without a sign of life after which the connection counts as lost. */
const HEARTBEAT = 10;
/** How long an event that no queue wanted is kept for those who come late. */
const UNROUTED_TTL_MS = 7 * 24 * 3_600_000;

/** Declares what events go through: a topic exchange, and a queue for what nobody has bound a queue for, so that nothing gets lost. */
export async function declareExchange(channel: Channel, exchange: string): Promise<void> {
  const unrouted = `${exchange}.unrouted`;
  await channel.assertExchange(unrouted, 'fanout', { durable: true });
  await channel.assertQueue(unrouted, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-message-ttl': UNROUTED_TTL_MS },
  });
  await channel.bindQueue(unrouted, unrouted, '');
  await channel.assertExchange(exchange, 'topic', { durable: true, alternateExchange: unrouted });
}

export function openRabbit({
  url,
  connectionName,
  timeout,
  connect: open = connect,
}: RabbitOptions): Promise<ChannelModel> {
  const address = new URL(url);
  address.searchParams.set('heartbeat', String(HEARTBEAT));
  return open(address.href, { timeout, clientProperties: { connection_name: connectionName } });
}

/** RabbitMQ with publisher confirms: an event counts as told when the broker has it on a durable queue. The routing key is the type. */
export function rabbitBroker(options: RabbitOptions): Broker {
  const { exchange, timeout } = options;
  let open: Promise<{ connection: ChannelModel; channel: ConfirmChannel }> | undefined;

  async function start() {
    const connection = await openRabbit(options);
    const forget = () => {
      open = undefined;
    };
    connection.on('error', forget);
    connection.on('close', forget);
    try {
      const channel = await connection.createConfirmChannel();
      channel.on('error', forget);
      channel.on('close', forget);
      await declareExchange(channel, exchange);
      return { connection, channel };
    } catch (error) {
      await connection.close().catch(() => {});
      throw error;
    }
  }

  async function drop(): Promise<void> {
    const current = open;
    open = undefined;
    const parts = await current?.catch(() => undefined);
    await parts?.connection.close().catch(() => {});
  }

  return {
    name: 'rabbitmq',
    concurrency: 256,
    async connect() {
      open ??= start();
      const current = open;
      await current.catch(error => {
        if (open === current) open = undefined;
        throw error;
      });
    },
    async publish({ event }) {
      if (open === undefined) throw new Error('the connection to RabbitMQ was lost');
      const { channel } = await open;
      const confirmed = new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(new Error(`RabbitMQ did not confirm within ${timeout} ms`));
          void drop();
        }, timeout);
        const done = (error?: unknown) => {
          clearTimeout(timer);
          if (error) reject(error instanceof Error ? error : new Error('RabbitMQ did not take the event'));
          else resolve();
        };
        try {
          channel.publish(
            exchange,
            event.type,
            Buffer.from(JSON.stringify(event)),
            {
              persistent: true,
              contentType: CLOUDEVENT_MEDIA_TYPE,
              messageId: event.id,
              timestamp: Math.floor(Date.parse(event.time) / 1_000),
              type: event.type,
            },
            done,
          );
        } catch (error) {
          done(error);
        }
      });
      await confirmed;
    },
    close: drop,
  };
}
