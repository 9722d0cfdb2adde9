import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Worker } from '../platform/service.ts';
import { readHead, readLag, SHARD } from './chain.ts';
import { blockHash, merkleRoot, NO_HASH, VERSION, type BlockHeader } from './merkle.ts';
import { readRange, type Leaf, type Query } from './sealed.ts';

const SEAL = {
  name: 'audit_seal',
  text: 'SELECT audit_seal($1, $2, $3::xid8, $4::xid8, $5, $6, $7::uuid[], $8, $9, $10, $11, $12::timestamptz)',
};

type Options = {
  query: Query;
  /** Milliseconds between two looks for transactions to seal. */
  interval: number;
  /** Transactions in a block. What one database transaction has written stays together, so a block may have some more. */
  blockLimit: number;
  registry: Registry;
};

/**
 * Seals what was written. Only what database transactions below the snapshot horizon have written is looked at: all of them are over, so
 * nothing can come later into a range that was sealed. One replica does it (see Workers); were there two, audit_seal takes one block.
 */
export class Sealer implements Worker {
  readonly name = 'seal';
  readonly interval: number;
  readonly #options: Options;
  readonly #blocks: Counter;
  readonly #transactions: Counter;
  readonly #size: Histogram;

  constructor(options: Options) {
    this.#options = options;
    this.interval = options.interval;
    const registers = [options.registry];
    this.#blocks = new Counter({ name: 'audit_blocks_total', help: 'Blocks that this process has sealed.', registers });
    this.#transactions = new Counter({
      name: 'audit_sealed_transactions_total',
      help: 'Transactions that this process has sealed.',
      registers,
    });
    this.#size = new Histogram({
      name: 'audit_block_transactions',
      help: 'Transactions in a block.',
      buckets: [1, 10, 100, 500, 1_000, 2_000],
      registers,
    });
    new Gauge({
      name: 'audit_lag_seconds',
      help: 'Age of the oldest transaction that is not sealed, 0 when there is none. Absent when it cannot be told.',
      registers,
      async collect() {
        const lag = await readLag(options.query).catch(() => undefined);
        if (lag === undefined) this.remove();
        else this.set(lag);
      },
    });
  }

  /** Seals one block. Resolves to true when there is more to seal. */
  async run(): Promise<boolean> {
    const { query, blockLimit } = this.#options;
    const { block, next, horizon, now } = await readHead(query);
    const found = await readRange(query, next, horizon, blockLimit);
    const last = found.at(-1);
    if (last === undefined) return false;
    const full = found.length === blockLimit;
    const to = full ? last.xact + 1n : horizon;
    // The database transaction at the end may have written more than fitted.
    const leaves = full
      ? [...found.filter(leaf => leaf.xact !== last.xact), ...(await readRange(query, last.xact, to, 2 ** 31 - 1))]
      : found;
    leaves.sort(bySeq);
    const header: BlockHeader = {
      shard: SHARD,
      seq: (block?.header.seq ?? 0) + 1,
      version: VERSION,
      count: leaves.length,
      firstTransactionSeq: leaves[0]!.seq,
      lastTransactionSeq: leaves.at(-1)!.seq,
      sealedAt: now,
    };
    const hashes = leaves.map(leaf => leaf.hash);
    const root = merkleRoot(hashes);
    const prev = block?.hash ?? NO_HASH;
    await query(SEAL, [
      SHARD,
      header.seq,
      String(next),
      String(to),
      header.firstTransactionSeq,
      header.lastTransactionSeq,
      leaves.map(leaf => leaf.id),
      Buffer.concat(hashes),
      root,
      prev,
      blockHash(header, prev, root),
      now,
    ]);
    this.#blocks.inc();
    this.#transactions.inc(leaves.length);
    this.#size.observe(leaves.length);
    return full;
  }
}

/** In the order of leaves. */
export function bySeq(a: Leaf, b: Leaf): number {
  return Number(BigInt(a.seq) - BigInt(b.seq));
}
