import pg from 'pg';
import type { Config } from '../platform/config.ts';
import type { LedgerSettings } from './settings.ts';

/** One thing that must be true of the books at any moment. `sql` selects what breaks it, as `what` (and `detail`). */
type Check = { title: string; sql: string };

/**
 * What has to hold. Entries of days that were dropped are counted with what account_opening keeps of them. All checks of a run see the
 * same moment.
 */
export const CHECKS: Readonly<Record<string, Check>> = {
  R1: {
    title: 'Entries are zero per transaction and currency',
    sql: `
      SELECT txn_id::text AS what, currency || ' ' || sum(amount) AS detail
        FROM entry GROUP BY txn_id, currency HAVING sum(amount) <> 0
      UNION ALL
      SELECT t.id::text, 'no entries' FROM txn t
       WHERE t.kind NOT IN ('pending', 'void') AND NOT EXISTS (SELECT FROM entry e WHERE e.txn_id = t.id)
      UNION ALL
      SELECT DISTINCT e.txn_id::text, 'no transaction' FROM entry e WHERE NOT EXISTS (SELECT FROM txn t WHERE t.id = e.txn_id)`,
  },
  R2: {
    title: 'The balance of an account is the sum of its entries',
    sql: `
      WITH posted AS (
        SELECT account_no, sum(greatest(amount, 0)) AS debits, -sum(least(amount, 0)) AS credits FROM entry GROUP BY account_no
      ), held AS (
        SELECT account_no, coalesce(sum(amount) FILTER (WHERE side = 'debit'), 0) AS debits,
               coalesce(sum(amount) FILTER (WHERE side = 'credit'), 0) AS credits FROM pending_entry GROUP BY account_no
      )
      SELECT b.account_id::text AS what,
             format('posted %s/%s, entries %s/%s, pending %s/%s, held %s/%s', b.debits_posted, b.credits_posted,
                    x.debits, x.credits, b.debits_pending, b.credits_pending, x.debits_held, x.credits_held) AS detail
        FROM account_balance b
        LEFT JOIN posted p USING (account_no) LEFT JOIN held h USING (account_no) LEFT JOIN account_opening o USING (account_no),
             LATERAL (SELECT coalesce(o.debits, 0) + coalesce(p.debits, 0) AS debits,
                             coalesce(o.credits, 0) + coalesce(p.credits, 0) AS credits,
                             coalesce(o.debits_pending, 0) + coalesce(h.debits, 0) AS debits_held,
                             coalesce(o.credits_pending, 0) + coalesce(h.credits, 0) AS credits_held) x
       WHERE (b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending)
             IS DISTINCT FROM (x.debits, x.credits, x.debits_held, x.credits_held)
      UNION ALL
      SELECT b.account_id::text, 'the last entry says ' || last.balance_after
        FROM account_balance b
        JOIN LATERAL (SELECT e.balance_after, e.debits_after FROM entry e WHERE e.account_no = b.account_no
                       ORDER BY e.account_version DESC LIMIT 1) last ON true
       WHERE last.balance_after <> b.debits_posted - b.credits_posted OR last.debits_after <> b.debits_posted`,
  },
  R3: {
    title: 'The version of an account is the number of its entries, without gaps',
    sql: `
      WITH counted AS (
        SELECT e.account_no, count(*) AS n, count(DISTINCT e.account_version) AS versions, max(e.account_version) AS highest,
               count(*) FILTER (WHERE e.account_version > coalesce(o.last_version, 0)) AS later
          FROM entry e LEFT JOIN account_opening o USING (account_no) GROUP BY e.account_no
      ), held AS (
        SELECT e.account_no, count(*) AS n, count(DISTINCT e.account_version) AS versions, max(e.account_version) AS highest,
               count(*) FILTER (WHERE e.account_version > coalesce(o.last_pending_version, 0)) AS later
          FROM pending_entry e LEFT JOIN account_opening o USING (account_no) GROUP BY e.account_no
      )
      SELECT b.account_id::text AS what,
             format('version %s, %s entries, pending version %s, %s pending entries', b.version,
                    coalesce(o.entries, 0) + coalesce(c.n, 0), b.pending_version, coalesce(o.pending_entries, 0) + coalesce(h.n, 0)) AS detail
        FROM account_balance b
        LEFT JOIN counted c USING (account_no) LEFT JOIN held h USING (account_no) LEFT JOIN account_opening o USING (account_no)
       WHERE b.version <> coalesce(o.entries, 0) + coalesce(c.n, 0)
          OR coalesce(c.versions, 0) <> coalesce(c.n, 0)
          OR b.version - coalesce(o.last_version, 0) <> coalesce(c.later, 0)
          OR coalesce(c.highest, b.version) > b.version
          OR b.pending_version <> coalesce(o.pending_entries, 0) + coalesce(h.n, 0)
          OR coalesce(h.versions, 0) <> coalesce(h.n, 0)
          OR b.pending_version - coalesce(o.last_pending_version, 0) <> coalesce(h.later, 0)
          OR coalesce(h.highest, b.pending_version) > b.pending_version`,
  },
  R4: {
    title: 'Every key that was answered 201 with a transaction has it',
    sql: `
      SELECT i.client_id || ' ' || i.key AS what, 'no transaction ' || i.txn_id AS detail
        FROM idempotency i
       WHERE i.txn_id IS NOT NULL AND NOT EXISTS (SELECT FROM txn t WHERE t.id = i.txn_id)
      UNION ALL
      SELECT i.client_id || ' ' || i.key, 'neither a transaction nor an answer'
        FROM idempotency i WHERE i.txn_id IS NULL AND i.response IS NULL`,
  },
  R5: {
    title: 'No event waits too long to be published',
    sql: `
      SELECT o.id::text AS what, format('%s of %s, %s seconds old', o.type, o.aggregate_id,
                                        extract(epoch FROM now() - o.created_at)::bigint) AS detail
        FROM outbox o WHERE o.published_at IS NULL AND o.created_at < now() - make_interval(secs => $1)`,
  },
  R6: { title: 'What the authorization service captured is posted', sql: '' },
};

const EXAMPLES = 10;
/** Captures that are younger may still be on their way. Seconds. */
const ON_THE_WAY = 300;

export type CheckResult = {
  id: string;
  title: string;
  /** `skipped`: by configuration. `unchecked`: it could not be looked at. */
  status: 'ok' | 'breached' | 'skipped' | 'unchecked';
  breaches: number;
  /** The first of them. */
  examples: { what: string; detail: string }[];
  /** Why it was skipped, or could not be looked at. */
  reason?: string;
};

export type Reconciliation = { ok: boolean; startedAt: string; finishedAt: string; checks: CheckResult[] };

/** Further checks, which do not read this database alone. Added by those who can do them. */
export type ExtraCheck = (signal?: AbortSignal) => Promise<CheckResult>;

type Settings = LedgerSettings['reconciliation'];
type Breach = CheckResult['examples'][number];

/** Reads the whole ledger in one snapshot, on a connection of its own. Rejects when a database is away. */
export async function reconcile(
  config: Config,
  settings: Settings,
  signal?: AbortSignal,
  extra: readonly ExtraCheck[] = [],
): Promise<Reconciliation> {
  const startedAt = new Date().toISOString();
  const checks = await inSnapshot(config.databaseUrl, config, settings, async client => {
    const results: CheckResult[] = [];
    for (const [id, { title, sql }] of Object.entries(CHECKS)) {
      signal?.throwIfAborted();
      results.push(
        id === 'R6'
          ? await compareCaptures(client, config, settings, title)
          : await run(client, id, title, sql, id === 'R5' ? [settings.outboxAge] : []),
      );
    }
    return results;
  });
  for (const check of extra) checks.push(await check(signal));
  const ok = checks.every(check => check.status === 'ok' || check.status === 'skipped');
  return { ok, startedAt, finishedAt: new Date().toISOString(), checks };
}

function result(id: string, title: string, breaches: number, examples: Breach[]): CheckResult {
  return { id, title, status: breaches === 0 ? 'ok' : 'breached', breaches, examples };
}

async function run(client: pg.Client, id: string, title: string, sql: string, values: unknown[]): Promise<CheckResult> {
  const { rows } = await client.query<Breach & { n: string }>(
    `SELECT what, detail, count(*) OVER () AS n FROM (${sql}) AS breach ORDER BY what LIMIT ${EXAMPLES}`,
    values,
  );
  return result(
    id,
    title,
    Number(rows[0]?.n ?? 0),
    rows.map(({ what, detail }) => ({ what, detail })),
  );
}

/** R6: the sums of what was captured and of what was posted under its reference, for each authorization. */
async function compareCaptures(
  client: pg.Client,
  config: Config,
  settings: Settings,
  title: string,
): Promise<CheckResult> {
  if (settings.authorizationDatabaseUrl === undefined) {
    const reason = 'AUTHORIZATION_DATABASE_URL is not set';
    return { id: 'R6', title, status: 'skipped', breaches: 0, examples: [], reason };
  }
  // What was posted on days that were dropped cannot be compared any more.
  const { rows: days } = await client.query<{ since: Date | null }>(
    `SELECT min(to_date(right(c.relname, 8), 'YYYYMMDD'))::timestamp AT TIME ZONE 'UTC' AS since
       FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'txn'::regclass`,
  );
  const captured = await inSnapshot(settings.authorizationDatabaseUrl, config, settings, async other => {
    const { rows } = await other.query<{ id: string; amount: string }>(
      `SELECT auth_id::text AS id, sum(amount)::text AS amount FROM auth_event
        WHERE kind IN ('CAPTURED', 'FORCE_POSTED') AND created_at < now() - make_interval(secs => $1)
        GROUP BY auth_id HAVING min(created_at) >= $2`,
      [ON_THE_WAY, days[0]?.since ?? new Date(0)],
    );
    return rows;
  });
  const { rows } = await client.query<Breach & { n: string }>(
    `WITH captured AS (SELECT * FROM unnest($1::text[], $2::numeric[]) AS c (id, amount)),
          posted AS (
            SELECT t.external_ref AS id, sum(e.amount) AS amount
              FROM txn t JOIN entry e ON e.txn_id = t.id AND e.amount > 0
             WHERE t.external_ref = ANY ($1) AND t.kind IN ('posting', 'post') GROUP BY t.external_ref)
     SELECT c.id AS what, format('captured %s, posted %s', c.amount, coalesce(p.amount, 0)) AS detail, count(*) OVER () AS n
       FROM captured c LEFT JOIN posted p USING (id)
      WHERE c.amount > coalesce(p.amount, 0) ORDER BY c.id LIMIT ${EXAMPLES}`,
    [captured.map(row => row.id), captured.map(row => row.amount)],
  );
  return result(
    'R6',
    title,
    Number(rows[0]?.n ?? 0),
    rows.map(({ what, detail }) => ({ what, detail })),
  );
}

async function inSnapshot<T>(
  url: string,
  config: Config,
  settings: Settings,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: `${config.serviceName} reconcile`,
    connectionTimeoutMillis: config.connectTimeout,
    statement_timeout: settings.timeout,
    query_timeout: settings.timeout + 1_000,
  });
  await client.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return await work(client);
  } finally {
    await client.end();
  }
}
