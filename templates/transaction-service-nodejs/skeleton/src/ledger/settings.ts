import { readAuditSettings, type AuditSettings } from '../audit/settings.ts';
import type { EnvironmentReader } from '../platform/config.ts';
import { CURRENCY_EXPONENTS } from '../platform/money.ts';
import type { SettlementAccounts } from './events.ts';
import type { LedgerOptions } from './ledger.ts';

/** What only the ledger is told from outside. */
export type LedgerSettings = {
  ledger: Omit<LedgerOptions, 'keyHours'>;
  settlementAccounts: SettlementAccounts;
  audit: AuditSettings;
  /** Milliseconds between two looks for pending transactions whose time is over. */
  expiryInterval: number;
  reconciliation: {
    /** Milliseconds between two runs. */
    interval: number;
    /** Milliseconds that one statement of it may take. */
    timeout: number;
    /** Seconds that an event may wait to be published before check R5 counts it as a breach. */
    outboxAge: number;
    /** The authorization service's database, to compare what it captured (check R6). */
    authorizationDatabaseUrl?: string;
  };
  /** Days that transactions are kept, for `npm run drop-days`; 0: for ever. */
  retentionDays: number;
  /** The role that owns the schema, for `npm run drop-days`. */
  migrationDatabaseUrl?: string;
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DATABASE_URL = /^postgres(ql)?:\/\//;

function readSettlementAccounts(env: EnvironmentReader): SettlementAccounts {
  const accounts = new Map<string, string>();
  for (const part of env.list('SETTLEMENT_ACCOUNTS')) {
    const [currency = '', account = ''] = part.split('=');
    if (!CURRENCY_EXPONENTS.has(currency) || !UUID.test(account)) {
      env.wrong.push('SETTLEMENT_ACCOUNTS must be like USD=<id of an account>,EUR=<id of an account>');
      break;
    }
    accounts.set(currency, account.toLowerCase());
  }
  return accounts;
}

function optionalUrl(env: EnvironmentReader, name: string): string | undefined {
  const value = env.optional(name);
  if (value !== undefined && !DATABASE_URL.test(value)) {
    env.wrong.push(`${name} must be a URL like postgresql://user:password@host:5432/database`);
  }
  return value;
}

export function readSettings(env: EnvironmentReader): LedgerSettings {
  const authorizationDatabaseUrl = optionalUrl(env, 'AUTHORIZATION_DATABASE_URL');
  const migrationDatabaseUrl = optionalUrl(env, 'MIGRATION_DATABASE_URL');
  return {
    ledger: {
      flushers: env.integer('LEDGER_FLUSHERS', 3, 1, 50),
      batchSize: env.integer('LEDGER_BATCH_SIZE', 64, 1, 500),
      queueLimit: env.integer('LEDGER_QUEUE_LIMIT', 2_000, 1, 1_000_000),
      batchLockTimeout: env.integer('LEDGER_BATCH_LOCK_TIMEOUT_MS', 200, 10, 60_000),
    },
    settlementAccounts: readSettlementAccounts(env),
    audit: readAuditSettings(env),
    expiryInterval: env.integer('EXPIRY_INTERVAL_MS', 1_000, 50, 3_600_000),
    reconciliation: {
      interval: env.integer('RECONCILE_INTERVAL_MS', 3_600_000, 1_000, 7 * 24 * 3_600_000),
      timeout: env.integer('RECONCILE_TIMEOUT_MS', 600_000, 1_000, 24 * 3_600_000),
      outboxAge: env.integer('RECONCILE_OUTBOX_AGE_SECONDS', 60, 1, 86_400),
      ...(authorizationDatabaseUrl === undefined ? {} : { authorizationDatabaseUrl }),
    },
    retentionDays: env.integer('RETENTION_DAYS', 0, 0, 36_500),
    ...(migrationDatabaseUrl === undefined ? {} : { migrationDatabaseUrl }),
  };
}
