import type { Database } from './db/database.ts';
import type { PlatformTable, Worker } from './service.ts';

const BATCH = 5_000;
/** Far beyond the time for which any broker repeats an event. */
const INBOX_DAYS = 30;

/**
 * Forgets what is only needed for a while: answers to Idempotency-Keys after `hours`, by the function idempotency_purge of the schema,
 * and events that were received more than 30 days ago.
 */
export function purgeWorker(database: Database, tables: readonly PlatformTable[], hours: number): Worker {
  const steps: (() => Promise<number>)[] = [];
  if (tables.includes('idempotency')) {
    const statement = { name: 'idempotency_purge', text: 'SELECT idempotency_purge($1::int, $2::int)::int AS purged' };
    steps.push(async () => (await database.run<{ purged: number }>(statement, [hours, BATCH]))[0]?.purged ?? 0);
  }
  if (tables.includes('inbox')) {
    const statement = {
      name: 'inbox_purge',
      text: `WITH gone AS (DELETE FROM inbox WHERE ctid = ANY (ARRAY(
               SELECT ctid FROM inbox WHERE received_at < now() - make_interval(days => $1) LIMIT $2)) RETURNING 1)
             SELECT count(*)::int AS purged FROM gone`,
    };
    steps.push(async () => (await database.run<{ purged: number }>(statement, [INBOX_DAYS, BATCH]))[0]?.purged ?? 0);
  }
  return {
    name: 'purge-keys',
    interval: 60_000,
    async run(signal) {
      let more = false;
      for (const step of steps) {
        if (signal.aborted) break;
        if ((await step()) === BATCH) more = true;
      }
      return more;
    },
  };
}
