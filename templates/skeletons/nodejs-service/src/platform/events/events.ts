import type { Worker } from '../service.ts';
import type { Runtime } from '../runtime.ts';
import type { Broker } from './broker.ts';
import { httpBroker } from './brokers/http.ts';
import { logBroker } from './brokers/log.ts';
import { rabbitBroker, type RabbitOptions } from './brokers/rabbitmq.ts';
import { snsBroker } from './brokers/sns.ts';
import { RabbitConsumer } from './consumer.ts';
import { EventSchemas } from './event.ts';
import { Inbox } from './inbox.ts';
import { OutboxPublisher } from './outbox.ts';

/** What a service has to do with events, by the tables that it has. */
export type Events = {
  workers: Worker[];
  inbox?: Inbox;
  consumer?: RabbitConsumer;
  close(): Promise<void>;
};

type Base = Pick<Runtime, 'definition' | 'config' | 'database' | 'logger' | 'registry' | 'parts'>;

function rabbitOptions({ config }: Base): RabbitOptions {
  const { rabbitUrl: url, exchange, timeout } = config.events;
  return { url, exchange, timeout, connectionName: config.serviceName };
}

function brokerOf(base: Base): Broker {
  const { config, logger } = base;
  const { subscribers, subscriberTokenFile: tokenFile, timeout, topicArn } = config.events;
  switch (config.events.broker) {
    case 'http':
      return httpBroker({ subscribers, tokenFile, timeout, clientId: config.serviceName });
    case 'rabbitmq':
      return rabbitBroker(rabbitOptions(base));
    case 'sns':
      return snsBroker({ topicArn, timeout });
    default:
      return logBroker(logger);
  }
}

export function createEvents(base: Base): Events {
  const { definition, config, database, logger, registry, parts } = base;
  const has = (table: string) => definition.tables.some(name => name === table);
  const events: Events = { workers: [], close: async () => {} };
  if (!has('outbox') && !has('inbox')) return events;

  const schemas = new EventSchemas();
  if (has('outbox')) {
    const broker = brokerOf(base);
    const { serviceName, events: settings } = config;
    const { interval } = settings;
    events.workers.push(new OutboxPublisher({ database, broker, schemas, serviceName, interval, logger, registry }));
    events.close = () => broker.close();
  }
  if (has('inbox') && parts.consumers) {
    events.inbox = new Inbox(database, schemas, parts.consumers);
    if (config.events.broker === 'rabbitmq') {
      const queue = config.serviceName;
      events.consumer = new RabbitConsumer({ ...rabbitOptions(base), queue, inbox: events.inbox, logger, registry });
    }
  }
  return events;
}
