import { EventStore, StoredEvent } from '../../store/EventStore';
import { runNrql } from '../runNrql';

export const NOW = Date.parse('2026-03-02T12:00:00Z'); // a Monday
export const MINUTE = 60_000;
export const ACCOUNT = 7;

interface Spec {
  /** Minutes before NOW. */
  ago: number;
  app?: string;
  duration?: number;
  status?: string | number;
  error?: boolean;
  weight?: number;
  [attribute: string]: unknown;
}

export function event({
  ago,
  app,
  status,
  weight,
  ...rest
}: Spec): StoredEvent {
  const attributes: StoredEvent['attributes'] = {};
  if (app !== undefined) attributes.appName = app;
  if (status !== undefined) attributes['http.statusCode'] = status;
  for (const [name, given] of Object.entries(rest)) {
    attributes[name] = given as string | number | boolean;
  }
  return {
    eventType: 'Transaction',
    timestamp: NOW - ago * MINUTE,
    attributes,
    weight,
  };
}

export function storeOf(events: StoredEvent[]) {
  const store = new EventStore({
    accounts: [{ id: ACCOUNT, name: 'demo', apiKey: 'k', licenseKey: 'l' }],
    now: () => NOW,
  });
  store.append(ACCOUNT, events);
  return store;
}

/** Out of order on purpose. */
export const EVENTS = [
  { ago: 5, app: 'a', duration: 0.4, status: '200', error: false, name: 'Get' },
  {
    ago: 59,
    app: 'a',
    duration: 0.1,
    status: '200',
    error: false,
    name: 'Get',
  },
  {
    ago: 40,
    app: 'a',
    duration: 0.2,
    status: '500',
    error: true,
    name: 'Post',
  },
  { ago: 30, app: 'b', duration: 1, status: '200', error: false, name: 'Get' },
  { ago: 20, app: 'b', duration: 2, status: '404', error: true, name: 'Post' },
  { ago: 10, app: 'a', duration: 0.3, name: 'cron', weight: 3 },
  { ago: 1, duration: 5, status: 503, error: true, 'odd name': 'x' },
  { ago: 90, app: 'a', duration: 9, status: '200', error: false, name: 'old' },
].map(event);

export async function run(nrql: string, events = EVENTS) {
  return runNrql(storeOf(events), [ACCOUNT], nrql, NOW);
}
