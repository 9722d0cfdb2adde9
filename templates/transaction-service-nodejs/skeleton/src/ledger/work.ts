import pg from 'pg';
import { Gauge } from 'prom-client';
import type { Command, ServiceContext, Worker } from '../platform/service.ts';
import type { Ledger } from './ledger.ts';
import { addDays, withDays } from './post.ts';
import { CHECKS, reconcile, type ExtraCheck, type Reconciliation } from './reconcile.ts';
import type { LedgerSettings } from './settings.ts';

type Context = ServiceContext<LedgerSettings>;

/** Pending transactions that one run of the expiry takes. */
const EXPIRE_AT_ONCE = 200;
/** Blocks of the audit chain whose leaves are forgotten by one statement. */
const BLOCKS_AT_ONCE = 500;
const HOUR = 3_600_000;

/** What the ledger does by itself. `extra` are checks that join the reconciliation. */
export function ledgerWorkers(context: Context, ledger: Ledger, extra: readonly ExtraCheck[] = []): Worker[] {
  const { database, own, registry } = context;
  new Gauge({
    name: 'ledger_queue_transactions',
    help: 'Transactions that wait to be written.',
    registers: [registry],
    collect() {
      this.set(ledger.waiting);
    },
  });
  const report = reconciliationGauges(context);
  return [
    {
      name: 'expire-pending',
      interval: own.expiryInterval,
      async run(signal) {
        const due = await database.run<{ id: string }>(
          {
            name: 'pending_due',
            text: 'SELECT txn_id AS id FROM pending_due WHERE expires_at <= clock_timestamp() ORDER BY expires_at LIMIT $1',
          },
          [EXPIRE_AT_ONCE],
        );
        for (const { id } of due) {
          if (signal.aborted) return false;
          await withDays(database, ledger.clock, () =>
            database.run({ name: 'ledger_expire', text: 'SELECT ledger_expire($1, $2)' }, [id, ledger.clock.newId()]),
          );
        }
        return due.length === EXPIRE_AT_ONCE;
      },
    },
    {
      name: 'add-days',
      interval: HOUR,
      async run() {
        await addDays(database);
      },
    },
    {
      name: 'reconcile',
      interval: own.reconciliation.interval,
      async run(signal) {
        report(await reconcile(context.config, own.reconciliation, signal, extra));
      },
    },
  ];
}

/** Sets the gauges from a result. */
function reconciliationGauges({ registry, logger }: Context): (result: Reconciliation) => void {
  const breaches = new Gauge({
    name: 'ledger_reconciliation_breaches',
    help: 'Breaches that the last reconciliation found, by check. Absent before the first one.',
    labelNames: ['check'],
    registers: [registry],
  });
  const finished = new Gauge({
    name: 'ledger_reconciliation_timestamp_seconds',
    help: 'When the last reconciliation ended.',
    registers: [registry],
  });
  return result => {
    for (const check of result.checks) {
      if (check.status === 'unchecked') logger.warn({ check }, 'a check of the books could not be made');
      if (check.status === 'skipped' || check.status === 'unchecked') continue;
      breaches.set({ check: check.id }, check.breaches);
      if (check.breaches > 0) logger.error({ check }, 'the books are not in order');
    }
    finished.set(Date.parse(result.finishedAt) / 1_000);
  };
}

/** What is done once: `npm run <name>`. */
export function ledgerCommands(context: Context, extra: readonly ExtraCheck[] = []): Record<string, Command> {
  const { config, own } = context;
  return {
    reconcile: {
      summary: `checks the books (${Object.keys(CHECKS).join(', ')}, R7), prints the result as JSON, ends with 1 when they are not in order`,
      async run(_args, out) {
        const result = await reconcile(config, own.reconciliation, undefined, extra);
        out(JSON.stringify(result, null, 2));
        return result.ok ? 0 : 1;
      },
    },
    'drop-days': {
      summary: 'drops the days that are older than RETENTION_DAYS, or than the number of days given',
      async run(args, out) {
        const days = args[0] === undefined ? own.retentionDays : Number(args[0]);
        if (!Number.isInteger(days) || days < 2) {
          throw new Error(
            'Give the number of days to keep, at least 2: npm run drop-days -- 400, or set RETENTION_DAYS.',
          );
        }
        if (own.migrationDatabaseUrl === undefined) {
          throw new Error('Set MIGRATION_DATABASE_URL: only the role that owns the schema may drop days.');
        }
        out(JSON.stringify(await dropDays(own.migrationDatabaseUrl, days, config.lockTimeout)));
        return 0;
      },
    },
  };
}

/**
 * Drops whole days that are older than `keep` days, the oldest first. Stops with the reason at a day that must stay: one with
 * transactions that are not sealed or not settled.
 */
export async function dropDays(
  url: string,
  keep: number,
  lockTimeout: number,
): Promise<{ day: string; transactions: number }[]> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'drop-days',
    connectionTimeoutMillis: 10_000,
    lock_timeout: lockTimeout,
    options: '-c search_path=public,pg_temp',
  });
  await client.connect();
  try {
    const { rows } = await client.query<{ day: string }>(
      `SELECT to_date(right(c.relname, 8), 'YYYYMMDD')::text AS day
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'txn'::regclass
          AND c.relname < 'txn_' || to_char((clock_timestamp() AT TIME ZONE 'UTC')::date - $1::int, 'YYYYMMDD')
        ORDER BY 1`,
      [keep],
    );
    const dropped: { day: string; transactions: number }[] = [];
    for (const { day } of rows) {
      const result = await client.query<{ n: string }>('SELECT ledger_drop_day($1) AS n', [day]);
      dropped.push({ day, transactions: Number(result.rows[0]!.n) });
    }
    // Nothing waits for this, so it is done little by little.
    for (let forgotten = dropped.length > 0 ? BLOCKS_AT_ONCE : 0; forgotten === BLOCKS_AT_ONCE;) {
      const result = await client.query<{ n: number }>('SELECT audit_forget_leaves($1) AS n', [BLOCKS_AT_ONCE]);
      forgotten = result.rows[0]!.n;
    }
    return dropped;
  } finally {
    await client.end();
  }
}
