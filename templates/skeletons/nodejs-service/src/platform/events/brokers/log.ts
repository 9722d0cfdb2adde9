import type { FastifyBaseLogger } from 'fastify';
import type { Broker } from '../broker.ts';

/** Tells events to the log of the service: their names, never their data. For those who have no broker yet. */
export function logBroker(logger: FastifyBaseLogger): Broker {
  return {
    name: 'log',
    concurrency: 64,
    connect: async () => {},
    async publish({ topic, event: { id, type, subject } }) {
      logger.info({ event: { id, type, topic, subject } }, 'event');
    },
    close: async () => {},
  };
}
