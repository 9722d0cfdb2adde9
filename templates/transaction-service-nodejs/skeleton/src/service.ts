import { AUDIT_FUNCTIONS, createAudit } from './audit/audit.ts';
import { AUDIT_SHARED } from './audit/schemas.ts';
import { capturedConsumer } from './ledger/events.ts';
import { accountRoutes } from './ledger/http/accounts.ts';
import { transactionRoutes } from './ledger/http/transactions.ts';
import { Ledger } from './ledger/ledger.ts';
import { SHARED } from './ledger/schemas.ts';
import { readSettings } from './ledger/settings.ts';
import { ledgerCommands, ledgerWorkers } from './ledger/work.ts';
import { defineService } from './platform/runtime.ts';

/** What this service is; all the rest is the platform's. */
export const definition = defineService({
  kind: 'transaction',
  openapi: {
    title: 'Transaction service',
    version: '2.0.0',
    description:
      'Double-entry ledger. Money is minor units as decimal text beside its currency. Every POST but the inbox of events needs an ' +
      '`Idempotency-Key`: the same request with the same key is carried out once and answered alike. Errors are problem details (RFC 9457).',
    tags: [
      { name: 'accounts', description: 'Accounts, balances and history' },
      { name: 'transactions', description: 'Post, hold, settle and reverse' },
      { name: 'audit', description: 'Proof that nothing was changed afterwards' },
      { name: 'reports', description: 'Proof that the books are in order' },
      { name: 'events', description: 'What other services tell this one' },
    ],
  },
  readConfig: readSettings,
  grants: {
    functions: [
      'ledger_post_batch',
      'ledger_settle',
      'ledger_expire',
      'ledger_open_account',
      'ledger_set_account_status',
      'ledger_add_days',
      ...AUDIT_FUNCTIONS,
      // Called by the statements and views that it reads with.
      'iso_utc',
      'leg_json',
      'transaction_json',
      'balance_json',
      'balance_at',
    ],
  },
  tables: ['outbox', 'inbox', 'idempotency'],
  eventRefusals: [
    'account-unknown',
    'account-frozen',
    'account-closed',
    'currency-mismatch',
    'insufficient-funds',
    'limit-exceeded',
  ],
  // A right of the role as well as a table: both are there once the migrations have run.
  probe: 'SELECT 1 FROM currency LIMIT 1',
  schemas: [...SHARED, ...AUDIT_SHARED],
  create(context) {
    const { config, own, database } = context;
    const ledger = new Ledger(database, { ...own.ledger, keyHours: config.idempotencyHours });
    const audit = createAudit(context, own.audit, own.reconciliation.timeout);
    return {
      async routes(app) {
        await app.register(accountRoutes, { ledger });
        await app.register(transactionRoutes, { ledger, problemBase: config.problemBase });
        await app.register(audit.routes);
      },
      workers: [...ledgerWorkers(context, ledger, [audit.check]), ...audit.workers],
      commands: { ...ledgerCommands(context, [audit.check]), ...audit.commands },
      consumers: [capturedConsumer(ledger.clock, config.idempotencyHours, own.settlementAccounts)],
      close: () => ledger.idle(),
    };
  },
});
