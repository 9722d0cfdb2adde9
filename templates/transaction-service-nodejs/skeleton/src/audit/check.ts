import type { CheckResult } from '../ledger/reconcile.ts';
import type { Config } from '../platform/config.ts';
import type { Anchor } from './anchors.ts';
import { readBlocks, SHARD } from './chain.ts';
import type { Query } from './sealed.ts';
import { connectReader, Verifier, type Breach } from './verify.ts';
import { verifyAnchors } from './verify-anchors.ts';

const PROGRESS = {
  name: 'audit_progress',
  text: `SELECT p.verified_seq::text AS seq, p.verified_hash AS hash, p.rechecked_seq::text AS rechecked
           FROM audit_progress p WHERE p.shard = $1`,
};
const REMEMBER = { name: 'audit_remember', text: 'SELECT audit_remember($1, $2, $3, $4)' };

type Options = {
  config: Config;
  /** Milliseconds that one statement may take. */
  timeout: number;
  anchor: Anchor | undefined;
  /** Older blocks to verify again. */
  recheck: number;
  /** Writes how far it has come. */
  query: Query;
};

/**
 * R7: the chain is as it was sealed. Goes on from the block that was verified last, looks at some older ones again, so that all of them
 * have their turn, and compares with what was published outside. What breaks it is reported by every run until it is put right.
 */
export async function checkChain(options: Options, signal?: AbortSignal): Promise<CheckResult> {
  const { config, timeout, anchor, recheck } = options;
  const { client, query } = await connectReader(config, timeout);
  try {
    const verifier = new Verifier(client, query);
    const { result: published, faults } = await verifyAnchors(query, anchor, config.serviceName);
    faults.forEach(fault => verifier.report(fault));

    const [row] = await query<{ seq: string; hash: Buffer; rechecked: string }>(PROGRESS, [SHARD]);
    const known = row === undefined ? undefined : { seq: Number(row.seq), hash: row.hash };
    if (known !== undefined && !(await blockAt(query, known.seq))?.hash.equals(known.hash)) {
      const detail = 'it had another hash when it was verified last';
      verifier.report({ kind: 'chain-broken', block: known.seq, transaction: null, detail });
    }
    const last = (await verifier.run({ after: known }, signal)) ?? known;

    // From the beginning again when the end is reached; what was verified just now needs no second look.
    let rechecked = Number(row?.rechecked ?? 0);
    if (known !== undefined && recheck > 0) {
      const start = rechecked < known.seq ? rechecked : 0;
      const before = await blockAt(query, start);
      if (start > 0 && before === undefined) {
        verifier.report({ kind: 'chain-broken', block: start, transaction: null, detail: 'it is gone' });
      }
      rechecked = Math.min(start + recheck, known.seq);
      const after = before && { seq: start, hash: before.hash };
      await verifier.run({ after, until: rechecked }, signal);
    }
    const { ok, breaches, examples } = verifier.result();
    const unread = published?.checked === false;
    if (ok && last !== undefined) await options.query(REMEMBER, [SHARD, last.seq, last.hash, rechecked]);
    return {
      id: 'R7',
      title: 'The audit chain is as it was sealed',
      status: ok ? (unread ? 'unchecked' : 'ok') : 'breached',
      ...(ok && unread && { reason: `what was published outside could not be read: ${published.reason}` }),
      breaches,
      examples: examples.map(({ kind, block, transaction, detail }) => ({
        what: nameOf(block, transaction),
        detail: `${kind}: ${detail}`,
      })),
    };
  } finally {
    await client.end();
  }
}

async function blockAt(query: Query, seq: number) {
  const [block] = await readBlocks(query, seq - 1, 1);
  return block?.header.seq === seq ? block : undefined;
}

function nameOf(block: Breach['block'], transaction: Breach['transaction']): string {
  const names = [
    block === null ? [] : `block ${block}`,
    transaction === null ? [] : `transaction ${transaction}`,
  ].flat();
  return names.join(', ') || 'the chain';
}
