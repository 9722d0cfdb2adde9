import pg from 'pg';

/** What must hold of every ledger at any moment. */
const INVARIANTS: Record<string, string> = {
  'entries sum to zero per transaction and currency':
    'SELECT txn_id::text AS what FROM entry GROUP BY txn_id, currency HAVING sum(amount) <> 0',
  'balance is the sum of the entries': `
    SELECT b.account_no::text AS what FROM account_balance b LEFT JOIN entry e ON e.account_no = b.account_no
     GROUP BY b.account_no
    HAVING b.debits_posted <> coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0)
        OR b.credits_posted <> coalesce(-sum(e.amount) FILTER (WHERE e.amount < 0), 0)`,
  'version is the count of entries, without gaps': `
    SELECT b.account_no::text AS what FROM account_balance b LEFT JOIN entry e ON e.account_no = b.account_no
     GROUP BY b.account_no
    HAVING b.version <> count(e.*) OR b.version <> coalesce(max(e.account_version), 0)`,
  'balance_after is the running sum': `
    SELECT account_no::text AS what FROM (
      SELECT account_no, balance_after, sum(amount) OVER (PARTITION BY account_no ORDER BY account_version) AS running
        FROM entry) s WHERE balance_after <> running`,
  'every transaction has entries':
    'SELECT id::text AS what FROM txn t WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE e.txn_id = t.id)',
  'every accepted key has its transaction': `
    SELECT key AS what FROM idempotency i WHERE txn_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM txn t WHERE t.id = i.txn_id)`,
  'no line is reversed beyond its amount': 'SELECT txn_id::text AS what FROM entry_remaining WHERE remaining < 0',
  'no account is below its limit':
    'SELECT account_no::text AS what FROM account_balance WHERE available < min_available',
};

export async function findViolations(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found: string[] = [];
    for (const [name, sql] of Object.entries(INVARIANTS)) {
      const { rows } = await client.query<{ what: string }>(`${sql} LIMIT 3`);
      if (rows.length > 0) found.push(`${name}: ${rows.map(row => row.what).join(', ')}`);
    }
    return found;
  } finally {
    await client.end();
  }
}
