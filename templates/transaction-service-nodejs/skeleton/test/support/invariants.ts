import pg from 'pg';
import { CHECKS } from '../../src/ledger/reconcile.ts';

/** What must hold of every ledger at any moment, besides the checks of the reconciliation. */
const INVARIANTS: Record<string, string> = {
  'balance_after is the running sum': `
    SELECT account_no::text AS what FROM (
      SELECT account_no, balance_after, debits_after,
             sum(amount) OVER w AS running, sum(greatest(amount, 0)) OVER w AS debits
        FROM entry WINDOW w AS (PARTITION BY account_no ORDER BY account_version)) s
     WHERE (balance_after <> running OR debits_after <> debits)
       AND NOT EXISTS (SELECT FROM account_opening o WHERE o.account_no = s.account_no)`,
  'entries of an account are in the order of their time': `
    SELECT account_no::text AS what FROM (
      SELECT e.account_no, t.created_at, lag(t.created_at) OVER (PARTITION BY e.account_no ORDER BY e.account_version) AS before
        FROM entry e JOIN txn t ON t.id = e.txn_id) s WHERE created_at < before`,
  'what is held is that of pending transactions that are not settled': `
    SELECT b.account_id::text AS what FROM account_balance b
      LEFT JOIN (SELECT p.account_no, sum(p.amount) FILTER (WHERE p.side = 'debit') AS debits,
                        sum(p.amount) FILTER (WHERE p.side = 'credit') AS credits
                   FROM pending_entry p JOIN pending_due d ON d.txn_id = p.txn_id GROUP BY p.account_no) h USING (account_no)
     WHERE b.debits_pending <> coalesce(h.debits, 0) OR b.credits_pending <> coalesce(h.credits, 0)`,
  'no line is reversed beyond its amount': 'SELECT txn_id::text AS what FROM entry_remaining WHERE remaining < 0',
  'no account is below its limit': `
    SELECT account_id::text AS what FROM account_balance
     WHERE min_available > CASE normal_side WHEN 'debit' THEN debits_posted - credits_posted - credits_pending
                                            ELSE credits_posted - debits_posted - debits_pending END`,
};

export async function findViolations(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // One moment for all of them: other test files go on posting.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const found: string[] = [];
    const checks = ['R1', 'R2', 'R3', 'R4'].map(id => [`${id} ${CHECKS[id]!.title}`, CHECKS[id]!.sql] as const);
    for (const [name, sql] of [...checks, ...Object.entries(INVARIANTS)]) {
      const { rows } = await client.query<{ what: string }>(`SELECT what FROM (${sql}) AS x LIMIT 3`);
      if (rows.length > 0) found.push(`${name}: ${rows.map(row => row.what).join(', ')}`);
    }
    return found;
  } finally {
    await client.end();
  }
}
