import { readFile } from 'node:fs/promises';
import { EventRefused, type Broker } from '../broker.ts';
import { CLOUDEVENT_MEDIA_TYPE, type OutgoingEvent } from '../event.ts';

export type HttpBrokerOptions = {
  /** Addresses that take one event by POST, such as `http://127.0.0.1:8080/v1/events`. Each gets every event. */
  subscribers: readonly string[];
  /** Named to subscribers behind no gateway. */
  clientId: string;
  /** A file with the bearer token for them; read for each event, so that it can be renewed. */
  tokenFile?: string | undefined;
  timeout: number;
};

/** Answers that are about this event, not about the subscriber as a whole. */
const ABOUT_THE_EVENT = new Set([400, 409, 413, 415, 422]);

/** Posts events straight to the services that want them, without a broker between: two services on one machine are enough. */
export function httpBroker(options: HttpBrokerOptions): Broker {
  const { subscribers, clientId, tokenFile, timeout } = options;

  async function post(url: string, event: OutgoingEvent['event']): Promise<void> {
    const headers: Record<string, string> = { 'content-type': CLOUDEVENT_MEDIA_TYPE, 'x-client-id': clientId };
    if (tokenFile !== undefined) headers.authorization = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`;
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify(event),
      redirect: 'error',
      signal: AbortSignal.timeout(timeout),
    });
    const answer = await response.text();
    if (response.ok) return;
    const message = `${new URL(url).host} answered ${response.status}: ${answer.slice(0, 300)}`;
    throw ABOUT_THE_EVENT.has(response.status) ? new EventRefused(message) : new Error(message);
  }

  return {
    name: 'http',
    concurrency: 16,
    connect: async () => {},
    // One that has it already recognises it when another one failed and it comes again.
    async publish({ event }) {
      const results = await Promise.allSettled(subscribers.map(url => post(url, event)));
      const failed = results.flatMap(result => (result.status === 'rejected' ? [result.reason as Error] : []));
      const broken = failed.find(error => !(error instanceof EventRefused));
      if (broken ?? failed[0]) throw broken ?? failed[0];
    },
    close: async () => {},
  };
}
