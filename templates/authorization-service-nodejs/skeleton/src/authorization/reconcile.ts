import { Gauge, type Registry } from 'prom-client';
import type { Database } from '../platform/db/database.ts';
import type { Command, Worker } from '../platform/service.ts';

/** What must hold of the database at any moment; each selects what is wrong as `what`. */
export const CHECKS: Readonly<Record<string, { meaning: string; sql: string }>> = {
  A1: {
    meaning: 'the state of an authorization is what its events add up to, without gaps',
    sql: `SELECT s.auth_id::text AS what FROM auth_state s LEFT JOIN (
            SELECT auth_id, count(*) AS n, max(seq) AS last,
                   coalesce(sum(amount) FILTER (WHERE kind IN ('AUTHORIZED', 'ADVICE', 'INCREMENTED')), 0) AS authorized,
                   coalesce(sum(amount) FILTER (WHERE kind IN ('CAPTURED', 'FORCE_POSTED')), 0) AS captured,
                   coalesce(sum(amount) FILTER (WHERE kind = 'REVERSED'), 0) AS reversed,
                   bool_or(kind = 'EXPIRED') AS expired
              FROM auth_event GROUP BY auth_id) e USING (auth_id)
           LEFT JOIN auth_event l ON l.auth_id = s.auth_id AND l.seq = e.last
          WHERE (s.version, s.version, s.authorized, s.captured, s.reversed, s.expired)
                  IS DISTINCT FROM (e.n, e.last, e.authorized, e.captured, e.reversed, e.expired)
             OR (s.released, s.held, s.status) IS DISTINCT FROM (l.released, l.held, l.status)
             OR s.status <> derive_status(s.authorized, s.captured, s.reversed, s.held, s.expired)`,
  },
  A2: {
    meaning: 'what an account holds is what its authorizations hold',
    sql: `SELECT a.id::text AS what FROM spend_account a
            LEFT JOIN auth_state s ON s.spend_account_id = a.id AND s.held > 0
           GROUP BY a.id, a.held HAVING a.held <> coalesce(sum(s.held), 0)`,
  },
  A3: {
    meaning: 'what is unposted is what was captured and the ledger has not confirmed',
    sql: `SELECT a.id::text AS what FROM spend_account a
            LEFT JOIN (SELECT spend_account_id AS id, sum(captured) AS captured FROM auth_state GROUP BY 1) c USING (id)
            LEFT JOIN (SELECT spend_account_id AS id, sum(amount) AS posted FROM capture_posting GROUP BY 1) p USING (id)
           WHERE a.unposted <> coalesce(c.captured, 0) - coalesce(p.posted, 0)`,
  },
  A4: {
    meaning: 'an account is marked as overdrawn exactly when it is',
    sql: `SELECT id::text AS what FROM spend_account
           WHERE overdrawn <> (balance::numeric + credit_limit - held - unposted < 0)`,
  },
  A5: {
    meaning: 'the counters of a card are what was approved, less what was reversed of the first approval',
    sql: `WITH counted AS (
            SELECT a.card_id, e.created_at, 1 AS count,
                   e.amount - least(e.amount, (SELECT s.reversed FROM auth_state s WHERE s.auth_id = a.id)) AS amount
              FROM auth_event e JOIN "authorization" a ON a.id = e.auth_id WHERE e.kind IN ('AUTHORIZED', 'ADVICE')
            UNION ALL
            SELECT a.card_id, e.created_at, 0, e.amount
              FROM auth_event e JOIN "authorization" a ON a.id = e.auth_id WHERE e.kind = 'INCREMENTED'
          ), expected AS (
            SELECT c.card_id, w."window", bucket_of(w."window", c.created_at) AS bucket, sum(c.amount) AS amount, sum(c.count) AS count
              FROM counted c CROSS JOIN (VALUES ('day'), ('hour'), ('month'), ('week')) w ("window") GROUP BY 1, 2, 3
          )
          SELECT l.card_id || ' ' || l."window" || ' ' || l.bucket AS what FROM limit_counter l
            LEFT JOIN expected e ON e.card_id = l.card_id AND e."window" = l."window" COLLATE "C" AND e.bucket = l.bucket
           WHERE (l.amount, l.count) IS DISTINCT FROM (coalesce(e.amount, 0), coalesce(e.count, 0))`,
  },
  A6: {
    meaning: 'every decision has its first event, and it says the same',
    sql: `SELECT a.id::text AS what FROM "authorization" a LEFT JOIN auth_event e ON e.auth_id = a.id AND e.seq = 1
           WHERE e.id IS NULL OR e.amount <> a.amount OR e.reason_code <> a.reason_code
              OR (a.decision = 'APPROVED') <> (e.kind IN ('AUTHORIZED', 'ADVICE'))`,
  },
  A7: {
    meaning: 'every key that was answered 201 leads to its answer',
    sql: `SELECT i.client_id || ' ' || i.key AS what FROM idempotency i
           WHERE i.status = 201 AND i.response IS NULL
             AND NOT EXISTS (SELECT 1 FROM auth_event e WHERE e.auth_id = i.auth_id AND e.seq = coalesce(i.event_seq, 1))`,
  },
  A8: {
    meaning: 'no more is captured than may be',
    sql: `SELECT s.auth_id::text AS what FROM auth_state s JOIN "authorization" a ON a.id = s.auth_id
           WHERE s.captured > 0 AND s.captured > greatest(capture_limit(s.authorized, s.reversed, a.over_percent, a.over_up_to),
                   (SELECT max(capture_limit(e.authorized, e.reversed, a.over_percent, a.over_up_to)) FROM auth_event e
                     WHERE e.auth_id = a.id AND e.kind IN ('CAPTURED', 'FORCE_POSTED')))`,
  },
  A9: {
    meaning: 'the ledger has posted what was captured, neither more nor less',
    sql: 'SELECT event_id::text AS what FROM capture_posting WHERE amount <> posted_amount',
  },
  A10: {
    meaning: 'no event waits to be told for more than a minute',
    sql: `SELECT id::text AS what FROM outbox WHERE published_at IS NULL AND created_at < clock_timestamp() - interval '1 minute'`,
  },
};

const SAMPLES = 5;
// One statement, so all checks see the same moment.
const ALL = {
  name: 'reconcile',
  text: Object.entries(CHECKS)
    .map(
      ([id, { sql }]) =>
        `SELECT '${id}' AS id, count(*)::int AS violations, coalesce((array_agg(what))[1:${SAMPLES}], '{}') AS samples FROM (${sql}) x`,
    )
    .join('\nUNION ALL\n'),
};

export type Finding = { check: string; meaning: string; violations: number; samples: string[] };
export type Report = { at: string; ok: boolean; checks: Finding[] };

/** Builds what is derived anew and compares. */
export class Reconciliation {
  readonly #database: Pick<Database, 'run'>;
  readonly #violations: Gauge;

  constructor(database: Pick<Database, 'run'>, registry: Registry) {
    this.#database = database;
    this.#violations = new Gauge({
      name: 'reconcile_violations',
      help: 'What the last reconciliation of this process found, by check.',
      labelNames: ['check'],
      registers: [registry],
    });
  }

  async run(): Promise<Report> {
    const rows = await this.#database.run<{ id: string; violations: number; samples: string[] }>(ALL, []);
    const checks = rows.map(({ id, violations, samples }) => {
      this.#violations.set({ check: id }, violations);
      return { check: id, meaning: CHECKS[id]!.meaning, violations, samples };
    });
    return { at: new Date().toISOString(), ok: checks.every(({ violations }) => violations === 0), checks };
  }

  /** Fails when something is wrong, so that the metrics and the log of the workers show it. */
  worker(interval: number): Worker {
    return {
      name: 'reconcile',
      interval,
      run: async () => {
        const report = await this.run();
        const wrong = report.checks.filter(({ violations }) => violations > 0);
        if (wrong.length > 0)
          throw new Error(wrong.map(({ check, violations }) => `${check}: ${violations}`).join(', '));
      },
    };
  }

  command(): Command {
    return {
      summary: 'builds holds, states and counters anew, compares, prints JSON; exit code 1 when something differs',
      run: async (_args, out) => {
        const report = await this.run();
        out(JSON.stringify(report, null, 2));
        return report.ok ? 0 : 1;
      },
    };
  }
}
