import { splitHashes, type BlockHeader } from './merkle.ts';
import type { Query } from './sealed.ts';

/** A service with one sealer has the one shard 0. */
export const SHARD = 0;

/** A block as it is stored. */
export type Block = {
  header: BlockHeader;
  /** It holds what database transactions from here to below `to` have written. */
  from: bigint;
  to: bigint;
  root: Buffer;
  prev: Buffer;
  hash: Buffer;
};

/** With its leaves; `undefined` when they were forgotten, after all transactions of the block were dropped. */
export type FullBlock = Block & { leaves?: { ids: string[]; hashes: Buffer[] } };

type Row = {
  seq: string;
  version: number;
  n: number;
  first: string;
  last: string;
  from: string;
  to: string;
  sealed_at: string;
  merkle_root: Buffer;
  prev_hash: Buffer;
  hash: Buffer;
  ids?: string[] | null;
  hashes?: Buffer | null;
};

const BLOCK = `c.seq::text, c.version, c.n, c.first_txn_seq::text AS first, c.last_txn_seq::text AS last, c.from_xact::text AS from,
       c.to_xact::text AS to, iso_utc(c.sealed_at) AS sealed_at, c.merkle_root, c.prev_hash, c.hash`;
const WITH_LEAVES = `${BLOCK}, l.ids::text[] AS ids, l.hashes
  FROM audit_chain c LEFT JOIN audit_leaf l ON l.shard = c.shard AND l.seq = c.seq`;

// One statement, so the horizon and the head are of the same moment.
const HEAD = {
  name: 'audit_head',
  text: `SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon, iso_utc(clock_timestamp()) AS now, ${BLOCK}
  FROM (SELECT 1) AS one
  LEFT JOIN LATERAL (SELECT * FROM audit_chain WHERE shard = $1 ORDER BY seq DESC LIMIT 1) AS c ON true`,
};
const BLOCKS = {
  name: 'audit_blocks',
  text: `SELECT ${BLOCK} FROM audit_chain c WHERE c.shard = $1 AND c.seq > $2 ORDER BY c.seq LIMIT $3`,
};
const FULL_BLOCKS = {
  name: 'audit_full_blocks',
  text: `SELECT ${WITH_LEAVES} WHERE c.shard = $1 AND c.seq > $2 ORDER BY c.seq LIMIT $3`,
};
const BLOCK_OF = {
  name: 'audit_block_of',
  text: `SELECT ${WITH_LEAVES} WHERE c.shard = $1 AND c.to_xact > $2::xid8 AND c.from_xact <= $2::xid8 ORDER BY c.to_xact LIMIT 1`,
};
const UNSEALED = {
  name: 'audit_unsealed',
  text: `SELECT count(*)::float8 AS n, coalesce(greatest(0, extract(epoch FROM clock_timestamp() - min(t.created_at))), 0)::float8 AS lag
  FROM txn t WHERE t.xact >= $1::xid8`,
};
// The one that was begun first is the oldest one, or nearly: it need not look at all of them.
const LAG = {
  name: 'audit_lag',
  text: `SELECT greatest(0, extract(epoch FROM clock_timestamp() - t.created_at))::float8 AS lag
  FROM txn t WHERE t.xact >= $1::xid8 ORDER BY t.xact, t.seq LIMIT 1`,
};

function toBlock(row: Row): Block {
  const { seq, version, n, first, last, sealed_at } = row;
  return {
    header: {
      shard: SHARD,
      seq: Number(seq),
      version,
      count: n,
      firstTransactionSeq: first,
      lastTransactionSeq: last,
      sealedAt: sealed_at,
    },
    from: BigInt(row.from),
    to: BigInt(row.to),
    root: row.merkle_root,
    prev: row.prev_hash,
    hash: row.hash,
  };
}

function toFullBlock(row: Row): FullBlock {
  const block = toBlock(row);
  return row.ids && row.hashes ? { ...block, leaves: { ids: row.ids, hashes: splitHashes(row.hashes) } } : block;
}

export type Head = {
  block: Block | undefined;
  /** Where the next block begins. */
  next: bigint;
  /** All database transactions below it are over. */
  horizon: bigint;
  /** Time of the database. */
  now: string;
};

/**
 * The head of the chain. Throws when the database counts its transactions from below the chain, as one does that was filled from a dump:
 * no range of such a count can say which transactions are sealed.
 */
export async function readHead(query: Query): Promise<Head> {
  const [row] = await query<Omit<Row, 'seq'> & { seq: string | null; horizon: string; now: string }>(HEAD, [SHARD]);
  const { seq, horizon, now } = row!;
  const block = seq === null ? undefined : toBlock({ ...row!, seq });
  if (block !== undefined && BigInt(horizon) < block.to) {
    throw new Error(
      `The database counts its transactions from ${horizon}, the audit chain has come to ${block.to}: ` +
        'it was filled from a dump. See "A restored database" in docs/audit.md.',
    );
  }
  return { block, next: block?.to ?? 0n, horizon: BigInt(horizon), now };
}

/** Blocks after `after`, oldest first. */
export async function readBlocks(query: Query, after: number | string, most: number): Promise<Block[]> {
  return (await query<Row>(BLOCKS, [SHARD, after, most])).map(toBlock);
}

export async function readFullBlocks(query: Query, after: number, most: number): Promise<FullBlock[]> {
  return (await query<Row>(FULL_BLOCKS, [SHARD, after, most])).map(toFullBlock);
}

/** The block of what a database transaction has written; undefined while it is not sealed. */
export async function readBlockOf(query: Query, xact: bigint): Promise<FullBlock | undefined> {
  const [row] = await query<Row>(BLOCK_OF, [SHARD, String(xact)]);
  return row && toFullBlock(row);
}

/** How many transactions wait to be sealed, and the age of the oldest one in seconds. */
export async function readUnsealed(query: Query): Promise<{ n: number; lag: number }> {
  const { next } = await readHead(query);
  const [row] = await query<{ n: number; lag: number }>(UNSEALED, [String(next)]);
  return row!;
}

/** The age in seconds of the oldest transaction that is not sealed, 0 when there is none. */
export async function readLag(query: Query): Promise<number> {
  const { next } = await readHead(query);
  const [row] = await query<{ lag: number }>(LAG, [String(next)]);
  return row?.lag ?? 0;
}
