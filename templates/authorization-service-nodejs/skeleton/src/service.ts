import { Gauge } from 'prom-client';
import { Authorizations } from './authorization/authorizations.ts';
import { Cards } from './authorization/cards.ts';
import { Expiry } from './authorization/expiry.ts';
import { OldKeys } from './authorization/keys.ts';
import { LedgerEvents } from './authorization/ledger-events.ts';
import { OPENAPI } from './authorization/openapi.ts';
import { Reconciliation } from './authorization/reconcile.ts';
import { RiskPartner } from './authorization/risk.ts';
import { authorizationRoutes } from './authorization/routes/authorizations.ts';
import { cardRoutes } from './authorization/routes/cards.ts';
import { RuleSets } from './authorization/rule-sets.ts';
import { SHARED } from './authorization/schemas.ts';
import * as sql from './authorization/statements.ts';
import type { EnvironmentReader } from './platform/config.ts';
import { callerOf } from './platform/http/idempotency.ts';
import { defineService } from './platform/runtime.ts';

/** What only this service is told from outside. Times are milliseconds. */
function readConfig(env: EnvironmentReader) {
  const url = env.optional('RISK_URL');
  if (url !== undefined && !/^https?:\/\/[^\s@]+$/.test(url)) {
    env.wrong.push('RISK_URL must be a URL like https://risk.example, without user and password');
  }
  return {
    /** Messages that are decided in one call, and such calls at a time. */
    batchSize: env.integer('DECISION_BATCH_SIZE', 64, 1, 500),
    batchConcurrency: env.integer('DECISION_CONCURRENCY', 3, 1, 50),
    /** Messages that may wait; the next one is answered 503. */
    maxWaiting: env.integer('DECISION_MAX_WAITING', 2_000, 1, 100_000),
    expiryInterval: env.integer('EXPIRY_INTERVAL_MS', 30_000, 100, 86_400_000),
    reconcileInterval: env.integer('RECONCILE_INTERVAL_MS', 3_600_000, 1_000, 86_400_000),
    risk: {
      url,
      timeout: env.integer('RISK_TIMEOUT_MS', 150, 1, 10_000),
      threshold: env.integer('RISK_BREAKER_FAILURES', 5, 1, 1_000),
      pause: env.integer('RISK_BREAKER_PAUSE_MS', 10_000, 10, 600_000),
    },
  };
}

/** What this service is; all the rest is the platform's. */
export const definition = defineService({
  kind: 'authorization',
  openapi: OPENAPI,
  readConfig,
  grants: {
    functions: [
      'authorization_decide',
      'authorization_apply',
      'authorization_reverse_ref',
      'authorization_expire_due',
      'ledger_fact',
      'spend_account_open',
      'spend_account_set_credit_limit',
      'card_add',
      'card_set_status',
      'card_set_limits',
      'rule_set_put',
      'limit_counter_purge',
      // Read only.
      'iso_utc',
      'state_document',
      'authorization_document',
      'event_document',
      'card_facts',
      'rule_set_now',
      'derive_status',
      'capture_limit',
      'bucket_of',
    ],
  },
  tables: ['outbox', 'inbox', 'idempotency'],
  probe: 'SELECT 1 FROM state_transition LIMIT 1',
  schemas: SHARED,
  create({ config, own, database, registry }) {
    const oldKeys = new OldKeys(database, config.idempotencyHours);
    const ruleSets = new RuleSets(database);
    const risk = new RiskPartner({ ...own.risk, registry });
    const { batchSize, batchConcurrency, maxWaiting } = own;
    const batch = { size: batchSize, concurrency: batchConcurrency, maxWaiting };
    const authorizations = new Authorizations({ database, ruleSets, risk, batch });
    const cards = new Cards(database);
    const reconciliation = new Reconciliation(database, registry);
    const expiry = new Expiry(database, registry);
    new Gauge({
      name: 'decisions_waiting',
      help: 'Messages that wait for a connection to the database.',
      registers: [registry],
      collect() {
        this.set(authorizations.waiting);
      },
    });
    return {
      async routes(app) {
        app.addHook('preHandler', async request => {
          if (request.method === 'POST') await oldKeys.refuse(callerOf(request));
        });
        await app.register(authorizationRoutes, { authorizations });
        await app.register(cardRoutes, { cards, ruleSets });
      },
      consumers: new LedgerEvents(registry).consumers(),
      workers: [
        expiry.worker(own.expiryInterval),
        reconciliation.worker(own.reconcileInterval),
        {
          name: 'purge-counters',
          interval: 3_600_000,
          run: async () => {
            const [row] = await database.run<{ done: number }>(sql.PURGE_COUNTERS, [5_000]);
            return row?.done === 5_000;
          },
        },
      ],
      commands: { reconcile: reconciliation.command(), expire: expiry.command() },
    };
  },
});
