import { Ledger } from './ledger/ledger.ts';
import { accountRoutes } from './ledger/http/accounts.ts';
import { transactionRoutes } from './ledger/http/transactions.ts';
import { SHARED } from './ledger/schemas.ts';
import { defineService } from './platform/runtime.ts';

/** What this service is; all the rest is the platform's. */
export const definition = defineService({
  kind: 'transaction',
  openapi: {
    title: 'Transaction service',
    version: '1.0.0',
    description:
      'Double-entry ledger. Money is minor units as decimal text beside its currency. Every POST needs an `Idempotency-Key`: ' +
      'the same request with the same key is carried out once and answered alike. Errors are problem details (RFC 9457).',
    tags: [
      { name: 'accounts', description: 'Accounts, balances and history' },
      { name: 'transactions', description: 'Post and reverse' },
      { name: 'reports', description: 'Proof that the books are in order' },
    ],
  },
  readConfig: () => ({}),
  grants: {
    functions: ['ledger_post', 'ledger_reverse', 'ledger_open_account', 'ledger_set_account_status', 'iso_utc'],
  },
  probe: 'SELECT 1 FROM currency LIMIT 1',
  schemas: SHARED,
  create({ database }) {
    const ledger = new Ledger(database);
    return {
      async routes(app) {
        await app.register(accountRoutes, { ledger });
        await app.register(transactionRoutes, { ledger });
      },
    };
  },
});
