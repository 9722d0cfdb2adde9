import type { Query } from './sealed.ts';
import type { Breach } from './verify.ts';

/**
 * Columns that are only there to find or add things up are not part of a leaf: what they hold follows from what is. Each part finds the
 * rows where it does not. A row is given as the transaction that wrote it.
 */
const PARTS = {
  // Balances of the past are read off debits_after. What was dropped is in account_opening, up to last_version.
  'entry.debits_after': `
    SELECT txn_id AS id, 'of line ' || line AS place FROM (
      SELECT e.txn_id, e.line, e.account_version > coalesce(o.last_version, 0) AS known, e.debits_after,
             coalesce(o.debits, 0) + sum(greatest(e.amount, 0)) OVER (PARTITION BY e.account_no ORDER BY e.account_version) AS expected
        FROM entry e LEFT JOIN account_opening o USING (account_no)) x
     WHERE known AND debits_after <> expected`,
  'entry.effective_at': `
    SELECT t.id, 'of line ' || e.line FROM entry e JOIN txn t ON t.id = e.txn_id
     WHERE coalesce(e.effective_at, t.created_at) <> t.effective_at`,
  'txn.currency': `
    SELECT t.id, '' FROM txn t JOIN (
      SELECT txn_id, min(currency) AS low, max(currency) AS high, true AS posted FROM entry GROUP BY txn_id
      UNION ALL
      SELECT txn_id, min(currency), max(currency), false FROM pending_entry GROUP BY txn_id) l
        ON l.txn_id = t.id AND l.posted = (t.kind NOT IN ('pending', 'void'))
     WHERE t.currency IS DISTINCT FROM CASE WHEN l.low = l.high THEN l.low END`,
  // The limit of reversals is what the amounts of the links leave.
  txn_link: `
    SELECT coalesce(t.id, l.txn_id), '' FROM txn t FULL JOIN txn_link l ON l.txn_id = t.id
      LEFT JOIN LATERAL (SELECT sum(e.amount) AS debits FROM entry e WHERE e.txn_id = t.id AND e.amount > 0) s ON l.amount IS NOT NULL
     WHERE t.id IS NULL
        OR l.kind IS DISTINCT FROM CASE t.kind WHEN 'reversal' THEN 'reverses' WHEN 'post' THEN 'resolves' WHEN 'void' THEN 'resolves' END
        OR (l.amount IS NOT NULL) <> (t.kind IN ('post', 'reversal') AND t.currency IS NOT NULL)
        OR l.amount <> s.debits`,
  // What a pending transaction has become. The row lies with the pending one, and goes with its day.
  txn_resolution: `
    SELECT coalesce(s.id, r.txn_id), '' FROM (
      SELECT t.id, t.kind, t.actor, l.target FROM txn t JOIN txn_link l ON l.txn_id = t.id WHERE l.kind = 'resolves') s
      FULL JOIN txn_resolution r ON r.txn_id = s.id AND r.target = s.target
     WHERE s.id IS NULL
        OR (r.target IS NULL AND EXISTS (SELECT FROM txn p WHERE p.id = s.target))
        OR (r.kind = 'post') <> (s.kind = 'post')
        OR (r.kind = 'expired' AND s.actor <> 'system:expiry')`,
};

const WRONG = {
  name: 'audit_derived',
  text: `
    SELECT x.id, x.what, c.seq::text, count(*) OVER ()::int AS n
      FROM (${Object.entries(PARTS)
        .map(([what, sql]) => `SELECT id, trim('${what} ' || place) AS what FROM (${sql}) AS part (id, place)`)
        .join(' UNION ALL ')}) AS x
      LEFT JOIN txn t ON t.id = x.id
      LEFT JOIN audit_chain c ON c.from_xact <= t.xact AND c.to_xact > t.xact
     ORDER BY c.seq, x.id, x.what LIMIT $1`,
};

/** The first of them in the order of the chain, and how many there are. Holds only where the leaves are right. */
export async function underived(query: Query, most: number): Promise<{ breaches: number; examples: Breach[] }> {
  const rows = await query<{ id: string; what: string; seq: string | null; n: number }>(WRONG, [most]);
  return {
    breaches: rows[0]?.n ?? 0,
    examples: rows.map(({ id, what, seq }) => ({
      kind: 'derived-changed',
      block: seq === null ? null : Number(seq),
      transaction: id,
      detail: `${what} is not what follows from what was sealed`,
    })),
  };
}
