import { leafHash } from './merkle.ts';
import type { Transaction } from '../ledger/schemas.ts';

/** Runs one statement; where (a pool, one connection) is the caller's matter. */
export type Query = <T extends Record<string, unknown>>(
  statement: { name: string; text: string },
  values: unknown[],
) => Promise<T[]>;

/** A transaction as a leaf. */
export type Leaf = {
  id: string;
  /** Decimal digits. */
  seq: string;
  /** The database transaction that wrote it. */
  xact: bigint;
  document: Transaction;
  hash: Buffer;
};

type TxnRow = {
  id: string;
  seq: string;
  xact: string;
  kind: Transaction['kind'];
  external_ref: string | null;
  effective_at: string;
  created_at: string;
  expires_at: string | null;
  actor: string;
  metadata: string;
  target: string | null;
};
type LegRow = {
  n: string;
  line: number;
  account: string;
  debit: boolean;
  value: string;
  currency: string;
  balance: string | null;
  version: string | null;
  reverses_line: number | null;
};

// From the tables, not from the view that the API answers with: whoever changes the view does not change what is verified.
const COLUMNS = `t.id, t.seq::text, t.xact::text, t.kind, t.external_ref, iso_utc(t.effective_at) AS effective_at,
       iso_utc(t.created_at) AS created_at, iso_utc(t.expires_at) AS expires_at, t.actor, t.metadata::text AS metadata,
       CASE WHEN t.kind IN ('post', 'void', 'reversal') THEN (SELECT l.target FROM txn_link l WHERE l.txn_id = t.id) END AS target`;

const RANGE = {
  name: 'audit_range',
  text: `SELECT ${COLUMNS} FROM txn t WHERE t.xact >= $1::xid8 AND t.xact < $2::xid8 ORDER BY t.xact, t.seq LIMIT $3`,
};
const ONE = { name: 'audit_one', text: `SELECT ${COLUMNS} FROM txn t WHERE t.id = $1` };

// $2 and $3, the smallest and the largest of the ids, leave all other days out.
const ENTRIES = {
  name: 'audit_entries',
  text: `SELECT u.n, e.line, b.account_id AS account, e.amount > 0 AS debit, abs(e.amount)::text AS value, e.currency,
       (CASE b.normal_side WHEN 'debit' THEN e.balance_after ELSE -e.balance_after END)::text AS balance,
       e.account_version::text AS version, e.reverses_line
  FROM unnest($1::uuid[]) WITH ORDINALITY AS u (id, n)
  JOIN entry e ON e.txn_id = u.id AND e.txn_id >= $2 AND e.txn_id <= $3
  JOIN account_balance b ON b.account_no = e.account_no
 ORDER BY u.n, e.line`,
};
const HELD = {
  name: 'audit_held',
  text: `SELECT u.n, p.line, b.account_id AS account, p.side = 'debit' AS debit, abs(p.amount)::text AS value, p.currency,
       NULL AS balance, NULL AS version, NULL AS reverses_line
  FROM unnest($1::uuid[]) WITH ORDINALITY AS u (id, n)
  JOIN pending_entry p ON p.txn_id = u.id AND p.txn_id >= $2 AND p.txn_id <= $3
  JOIN account_balance b ON b.account_no = p.account_no
 ORDER BY u.n, p.line`,
};

/**
 * At most `most` transactions that database transactions from `from` to below `to` have written, by the database transaction and then by
 * `seq`; a reader below the snapshot horizon gets the same ones every time.
 */
export async function readRange(query: Query, from: bigint, to: bigint, most: number): Promise<Leaf[]> {
  return leaves(query, await query<TxnRow>(RANGE, [String(from), String(to), most]));
}

export async function readOne(query: Query, id: string): Promise<Leaf | undefined> {
  return (await leaves(query, await query<TxnRow>(ONE, [id])))[0];
}

async function leaves(query: Query, rows: TxnRow[]): Promise<Leaf[]> {
  const holds = (row: TxnRow) => row.kind === 'pending' || row.kind === 'void';
  const legs = await readLegs(
    query,
    ENTRIES,
    rows.filter(row => !holds(row)).map(row => row.id),
  );
  const held = await readLegs(
    query,
    HELD,
    rows.filter(holds).map(row => row.id),
  );
  return rows.map(row => {
    const document = documentOf(row, (holds(row) ? held : legs).get(row.id) ?? []);
    return { id: row.id, seq: row.seq, xact: BigInt(row.xact), document, hash: leafHash(document) };
  });
}

async function readLegs(
  query: Query,
  statement: typeof ENTRIES,
  ids: string[],
): Promise<Map<string, Transaction['legs']>> {
  const found = new Map<string, Transaction['legs']>();
  if (ids.length === 0) return found;
  // Texts of UUIDs are in the order of the UUIDs.
  const sorted = [...ids].sort();
  for (const row of await query<LegRow>(statement, [ids, sorted[0], sorted.at(-1)])) {
    const id = ids[Number(row.n) - 1]!;
    const legs = found.get(id) ?? [];
    legs.push({
      line: row.line,
      accountId: row.account,
      direction: row.debit ? 'debit' : 'credit',
      amount: { value: row.value, currency: row.currency },
      balanceAfter: row.balance,
      accountVersion: row.version === null ? null : Number(row.version),
      reversesLine: row.reverses_line,
    });
    found.set(id, legs);
  }
  return found;
}

function documentOf(row: TxnRow, legs: Transaction['legs']): Transaction {
  return {
    id: row.id,
    kind: row.kind,
    externalRef: row.external_ref,
    effectiveAt: row.effective_at,
    createdAt: row.created_at,
    actor: row.actor,
    reverses: row.kind === 'reversal' ? row.target : null,
    resolves: row.kind === 'reversal' ? null : row.target,
    expiresAt: row.expires_at,
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    legs,
  };
}
