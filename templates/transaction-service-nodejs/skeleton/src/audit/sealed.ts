import { canonicalJson, leafHash } from './merkle.ts';

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
  /** The canonical JSON of the sealed form. */
  text: string;
  hash: Buffer;
};

type TxnRow = {
  id: string;
  seq: string;
  xact: string;
  kind: string;
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
    const text = textOf(row, (holds(row) ? held : legs).get(row.id) ?? '');
    return { id: row.id, seq: row.seq, xact: BigInt(row.xact), text, hash: leafHash(text) };
  });
}

/** The legs of each transaction as JSON, separated by commas. */
async function readLegs(query: Query, statement: typeof ENTRIES, ids: string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  if (ids.length === 0) return found;
  // Texts of UUIDs are in the order of the UUIDs.
  const sorted = [...ids].sort();
  for (const row of await query<LegRow>(statement, [ids, sorted[0], sorted.at(-1)])) {
    const id = ids[Number(row.n) - 1]!;
    const before = found.get(id);
    found.set(id, before === undefined ? legText(row) : `${before},${legText(row)}`);
  }
  return found;
}

// Written out member by member, in canonical order: every transaction goes through here, and sorting names takes several times as long.
// Texts are quoted even where the database allows no quotes in them: somebody may have changed that as well.

function legText({ line, account, debit, value, currency, balance, version, reverses_line }: LegRow): string {
  return (
    `{"accountId":"${account}","accountVersion":${version},"amount":{"currency":${JSON.stringify(currency)},"value":"${value}"},` +
    `"balanceAfter":${quoted(balance)},"direction":"${debit ? 'debit' : 'credit'}","line":${line},"reversesLine":${reverses_line}}`
  );
}

function textOf(row: TxnRow, legs: string): string {
  const reversal = row.kind === 'reversal';
  return (
    `{"actor":${JSON.stringify(row.actor)},"createdAt":"${row.created_at}","effectiveAt":"${row.effective_at}",` +
    `"expiresAt":${quoted(row.expires_at)},"externalRef":${JSON.stringify(row.external_ref)},"id":"${row.id}",` +
    `"kind":${JSON.stringify(row.kind)},"legs":[${legs}],"metadata":${canonicalJson(JSON.parse(row.metadata))},` +
    `"resolves":${quoted(reversal ? null : row.target)},"reverses":${quoted(reversal ? row.target : null)}}`
  );
}

/** For values without anything to escape. */
function quoted(value: string | null): string {
  return value === null ? 'null' : `"${value}"`;
}
