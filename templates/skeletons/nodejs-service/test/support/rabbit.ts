import { EventEmitter } from 'node:events';
import type { connect } from 'amqplib';

type Message = {
  content: Buffer;
  fields: { routingKey: string; deliveryTag: number };
  properties: Record<string, any>;
};
type Queue = {
  arguments: Record<string, any>;
  ready: Message[];
  consumers: ((message: Message) => void)[];
};

/**
 * What of RabbitMQ the platform uses, in memory: topic and fanout exchanges with an alternate, quorum queues with a delivery limit and a
 * dead letter queue, confirms, and a broker that goes away. The same tests run against a real one when TEST_RABBITMQ_URL is set.
 */
export class FakeRabbit {
  readonly exchanges = new Map<
    string,
    { type: string; alternate?: string; bindings: [queue: string, key: string][] }
  >();
  readonly queues = new Map<string, Queue>();
  readonly #connections = new Set<EventEmitter>();
  away = false;
  /** Takes messages but does not answer. */
  silent = false;

  readonly connect = (async () => {
    if (this.away) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const connection = new EventEmitter();
    this.#connections.add(connection);
    const channels: Channel[] = [];
    const open = async () => {
      const channel = new Channel(this);
      channels.push(channel);
      return channel;
    };
    const end = () => {
      if (!this.#connections.delete(connection)) return;
      for (const channel of channels) channel.end();
      connection.emit('close');
    };
    connection.once('cut', end);
    return Object.assign(connection, { createChannel: open, createConfirmChannel: open, close: async () => end() });
  }) as unknown as typeof connect;

  /** Cuts all connections and takes no new ones until `away` is false again. */
  goAway(): void {
    this.away = true;
    for (const connection of [...this.#connections]) connection.emit('cut');
  }

  route(exchange: string, key: string, message: Message): void {
    const { type, alternate, bindings } = this.exchanges.get(exchange)!;
    const queues = bindings.filter(([, pattern]) => type === 'fanout' || pattern === key).map(([queue]) => queue);
    if (queues.length === 0 && alternate !== undefined) this.route(alternate, key, message);
    for (const queue of new Set(queues)) this.put(queue, message);
  }

  put(name: string, message: Message): void {
    const queue = this.queues.get(name)!;
    queue.ready.push({ ...message, properties: { ...message.properties } });
    this.deliver(queue);
  }

  deliver(queue: Queue): void {
    while (queue.ready.length > 0 && queue.consumers.length > 0) {
      const [consumer] = queue.consumers;
      consumer!(queue.ready.shift()!);
    }
  }
}

let tags = 0;

class Channel extends EventEmitter {
  readonly #broker: FakeRabbit;
  readonly #unacknowledged = new Map<number, { queue: string; message: Message }>();
  readonly #consumers: [Queue, (message: Message) => void][] = [];
  #open = true;

  constructor(broker: FakeRabbit) {
    super();
    this.#broker = broker;
  }

  async assertExchange(name: string, type: string, options: { alternateExchange?: string } = {}) {
    const { alternateExchange: alternate } = options;
    if (!this.#broker.exchanges.has(name)) {
      this.#broker.exchanges.set(name, { type, bindings: [], ...(alternate === undefined ? {} : { alternate }) });
    }
  }

  async assertQueue(name: string, options: { arguments?: Record<string, any> } = {}) {
    if (!this.#broker.queues.has(name)) {
      this.#broker.queues.set(name, { arguments: options.arguments ?? {}, ready: [], consumers: [] });
    }
  }

  async bindQueue(queue: string, exchange: string, key: string) {
    this.#broker.exchanges.get(exchange)!.bindings.push([queue, key]);
  }

  async prefetch() {}

  publish(exchange: string, routingKey: string, content: Buffer, properties: object, done: (error?: unknown) => void) {
    if (!this.#open) throw new Error('Channel closed');
    if (this.#broker.silent) return true;
    const fields = { routingKey, deliveryTag: 0 };
    this.#broker.route(exchange, routingKey, { content, fields, properties: { headers: {}, ...properties } });
    setImmediate(() => done());
    return true;
  }

  async consume(name: string, handler: (message: Message) => void) {
    const queue = this.#broker.queues.get(name)!;
    const consumer = (message: Message) => {
      const fields = { ...message.fields, deliveryTag: ++tags };
      this.#unacknowledged.set(fields.deliveryTag, { queue: name, message });
      setImmediate(() => handler({ ...message, fields }));
    };
    queue.consumers.push(consumer);
    this.#consumers.push([queue, consumer]);
    this.#broker.deliver(queue);
    return { consumerTag: `tag-${++tags}` };
  }

  async cancel() {
    for (const [queue, consumer] of this.#consumers)
      queue.consumers = queue.consumers.filter(other => other !== consumer);
  }

  ack({ fields }: Message) {
    if (!this.#open) throw new Error('Channel closed');
    this.#unacknowledged.delete(fields.deliveryTag);
  }

  nack({ fields }: Message, _all: boolean, requeue: boolean) {
    if (!this.#open) throw new Error('Channel closed');
    const held = this.#unacknowledged.get(fields.deliveryTag)!;
    this.#unacknowledged.delete(fields.deliveryTag);
    this.#giveBack(held, requeue);
  }

  #giveBack({ queue, message }: { queue: string; message: Message }, requeue: boolean): void {
    const { arguments: options } = this.#broker.queues.get(queue)!;
    const headers = message.properties.headers as Record<string, number>;
    const count = (headers['x-delivery-count'] ?? 0) + 1;
    const again = {
      ...message,
      properties: { ...message.properties, headers: { ...headers, 'x-delivery-count': count } },
    };
    if (requeue && count <= (options['x-delivery-limit'] ?? Infinity)) this.#broker.put(queue, again);
    else if (options['x-dead-letter-routing-key']) this.#broker.put(options['x-dead-letter-routing-key'], again);
  }

  end(): void {
    this.#open = false;
    for (const [queue, consumer] of this.#consumers)
      queue.consumers = queue.consumers.filter(other => other !== consumer);
    for (const held of this.#unacknowledged.values()) this.#giveBack(held, true);
    this.#unacknowledged.clear();
    this.emit('close');
  }
}
