import type { Anchor, AnchorRecord } from './anchors.ts';
import { SHARD } from './chain.ts';
import type { Query } from './sealed.ts';
import type { Breach } from './verify.ts';

export type AnchorResult = {
  kind: Anchor['kind'];
  /** Whether the place outside could be read. */
  checked: boolean;
  /** Records of it that were compared. */
  records: number;
  /** The newest block that is published there. */
  newest: number | null;
  /** Why it was not checked. */
  reason?: string;
};

const PAGE = 500;
const HASHES = {
  name: 'audit_hashes',
  text: `SELECT seq::text, encode(hash, 'hex') AS hash FROM audit_chain WHERE shard = $1 AND seq = ANY ($2::bigint[])`,
};
// Receipts are of this database; they show a clumsy change, not a careful one.
const RECEIPTS = {
  name: 'audit_receipts',
  text: `SELECT a.seq::text, a.kind FROM audit_anchor a LEFT JOIN audit_chain c ON c.shard = a.shard AND c.seq = a.seq
          WHERE a.shard = $1 AND c.hash IS DISTINCT FROM a.hash ORDER BY a.seq LIMIT 10`,
};

/** Compares the chain with its receipts and with what the place outside has of it. */
export async function verifyAnchors(
  query: Query,
  anchor: Anchor | undefined,
  chain: string,
): Promise<{ result: AnchorResult | null; faults: Breach[] }> {
  const fault = (seq: string | number, detail: string): Breach => ({
    kind: 'anchor',
    block: Number(seq),
    transaction: null,
    detail,
  });
  const receipts = await query<{ seq: string; kind: string }>(RECEIPTS, [SHARD]);
  const faults = receipts.map(({ seq, kind }) => fault(seq, `the receipt of the ${kind} anchor is of another hash`));
  if (anchor === undefined) return { result: null, faults };

  const result: AnchorResult = { kind: anchor.kind, checked: false, records: 0, newest: null };
  async function compare(records: AnchorRecord[]): Promise<void> {
    const rows = await query<{ seq: string; hash: string }>(HASHES, [SHARD, records.map(record => record.seq)]);
    const hashes = new Map(rows.map(row => [Number(row.seq), row.hash]));
    for (const { seq, hash } of records) {
      result.records += 1;
      result.newest = Math.max(result.newest ?? 0, seq);
      const ours = hashes.get(seq);
      if (ours === undefined) faults.push(fault(seq, 'it was published, and is not in the chain any more'));
      else if (ours !== hash) faults.push(fault(seq, 'it was published with another hash'));
    }
  }
  const page: AnchorRecord[] = [];
  const records = anchor.records(chain, SHARD)[Symbol.asyncIterator]();
  for (;;) {
    const next = await records.next().catch((error: Error) => {
      result.reason = error.message;
      return undefined;
    });
    result.checked = next?.done === true;
    if (next === undefined || next.done) break;
    page.push(next.value);
    if (page.length === PAGE) await compare(page.splice(0));
  }
  if (page.length > 0) await compare(page);
  return { result, faults };
}
