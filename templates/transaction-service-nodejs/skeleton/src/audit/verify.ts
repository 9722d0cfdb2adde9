import pg from 'pg';
import type { Config } from '../platform/config.ts';
import type { Anchor } from './anchors.ts';
import { underived } from './derived.ts';
import { verifyAnchors, type AnchorResult } from './verify-anchors.ts';
import { readFullBlocks, type FullBlock } from './chain.ts';
import { blockHash, merkleRoot, NO_HASH, VERSION } from './merkle.ts';
import { readRange, type Leaf, type Query } from './sealed.ts';
import { bySeq } from './sealer.ts';

/** What is not as it was sealed. */
export type Breach = {
  kind:
    | 'transaction-changed'
    | 'transaction-missing'
    | 'transaction-added'
    | 'derived-changed'
    | 'order-changed'
    | 'leaves-changed'
    | 'root-changed'
    | 'hash-changed'
    | 'chain-broken'
    | 'range-changed'
    | 'dropped-days'
    | 'anchor';
  /** The block, null when none can be named. */
  block: number | null;
  /** The transaction, null when the block itself was changed, or when which one it was cannot be told. */
  transaction: string | null;
  detail: string;
};

export type Verification = {
  /** Nothing was found, and everything could be looked at: what was published outside as well. */
  ok: boolean;
  /** The last block that was looked at; null for an empty chain. */
  head: { seq: number; hash: string } | null;
  blocks: number;
  /** Transactions that are there and were hashed again. */
  transactions: number;
  /** Transactions that are gone because their day was dropped. */
  dropped: number;
  anchors: AnchorResult | null;
  breaches: number;
  /** The first of them, in the order of the chain. */
  examples: Breach[];
};

/** A block, as the next one names it. */
export type Link = { seq: number; hash: Buffer };

export type Range = {
  /** The block before the first one that is looked at; undefined: from the beginning. */
  after?: Link | undefined;
  /** The last block that is looked at. */
  until?: number | undefined;
};

const EXAMPLES = 10;
const PAGE = 20;
/** More transactions than a block can have. */
const ALL = 2 ** 31 - 1;

const DROPPED_DAYS = {
  name: 'audit_dropped',
  text: 'SELECT to_char(day, $1) AS day, transactions::text AS n FROM audit_dropped_day',
};
const OLDEST = { name: 'audit_oldest', text: 'SELECT xact::text FROM txn ORDER BY xact, seq LIMIT 1' };

/** A connection for long reading: its statements may take `timeout` milliseconds, and it does not take one from the pool. */
export async function connectReader(config: Config, timeout: number): Promise<{ client: pg.Client; query: Query }> {
  const client = new pg.Client({
    connectionString: config.databaseUrl,
    application_name: `${config.serviceName} verify`,
    connectionTimeoutMillis: config.connectTimeout,
    statement_timeout: timeout,
    query_timeout: timeout + 1_000,
  });
  client.on('error', () => {});
  await client.connect();
  return { client, query: async (statement, values) => (await client.query({ ...statement, values })).rows };
}

/**
 * Makes every leaf, root and hash of a range of the chain again, one block in memory at a time, and compares. What was dropped with its
 * day cannot be hashed again; of those transactions it is checked that they are on dropped days and, over the whole chain, that they are
 * exactly as many as were dropped.
 */
export class Verifier {
  readonly #client: pg.Client;
  readonly #query: Query;
  readonly #examples: Breach[] = [];
  #breaches = 0;
  #blocks = 0;
  #transactions = 0;
  #dropped = 0;

  constructor(client: pg.Client, query: Query) {
    this.#client = client;
    this.#query = query;
  }

  /** Resolves to the last block that was looked at. */
  async run(range: Range = {}, signal?: AbortSignal): Promise<Link | undefined> {
    const { after, until = Infinity } = range;
    let before: Link & { to?: bigint } = after ?? { seq: 0, hash: NO_HASH, to: 0n };
    let last: Link | undefined;
    for (let more = true; more;) {
      const page = await this.#inSnapshot(() => readFullBlocks(this.#query, before.seq, PAGE));
      more = page.length === PAGE;
      for (const block of page) {
        signal?.throwIfAborted();
        const { seq } = block.header;
        if (seq > until) return last;
        this.#checkLinks(block, before);
        await this.#inSnapshot(() => this.#checkLeaves(block));
        before = { seq, hash: block.hash, to: block.to };
        last = { seq, hash: block.hash };
        this.#blocks += 1;
      }
    }
    if (after === undefined && range.until === undefined) {
      await this.#countDropped();
      // It says nothing of a transaction that is not as it was sealed.
      if (this.#breaches === 0) await this.#checkDerived();
    }
    return last;
  }

  /** Adds what was found elsewhere. */
  report(breach: Breach): void {
    this.#breaches += 1;
    if (this.#examples.length < EXAMPLES) this.#examples.push(breach);
  }

  result(): Omit<Verification, 'head' | 'anchors'> {
    return {
      ok: this.#breaches === 0,
      blocks: this.#blocks,
      transactions: this.#transactions,
      dropped: this.#dropped,
      breaches: this.#breaches,
      examples: this.#examples,
    };
  }

  /** What a block says about itself and about the one before. */
  #checkLinks(block: FullBlock, before: Link & { to?: bigint }): void {
    const { header, prev, hash, root, from } = block;
    const { seq } = header;
    const fault = (kind: Breach['kind'], detail: string) =>
      this.report({ kind, block: seq, transaction: null, detail });
    if (seq !== before.seq + 1) fault('chain-broken', `it follows block ${before.seq}`);
    else if (!prev.equals(before.hash)) fault('chain-broken', `prevHash is not the hash of block ${before.seq}`);
    if (header.version !== VERSION) fault('hash-changed', `version ${header.version} is not known`);
    else if (!hash.equals(blockHash(header, prev, root))) fault('hash-changed', 'the hash is not that of the block');
    const begin = before.to ?? from;
    if (from !== begin || block.to <= from)
      fault('range-changed', `it covers ${from} to ${block.to}, not from ${begin} on`);
  }

  /** The leaves against the transactions that are there, and the root against the leaves. */
  async #checkLeaves(block: FullBlock): Promise<void> {
    const { seq } = block.header;
    const found = (await readRange(this.#query, block.from, block.to, ALL)).sort(bySeq);
    this.#transactions += found.length;
    const fault = (kind: Breach['kind'], transaction: string | null, detail: string) =>
      this.report({ kind, block: seq, transaction, detail });
    if (block.leaves === undefined) return this.#checkWithoutLeaves(block, found);

    const { ids, hashes } = block.leaves;
    if (!isRootOf(block.root, hashes)) this.#reportRoot(block, found, 'merkleRoot is not that of the leaves');
    const there = new Map(found.map(leaf => [leaf.id, leaf]));
    const missing: string[] = [];
    ids.forEach((id, i) => {
      const leaf = there.get(id);
      if (leaf === undefined) missing.push(id);
      else if (!leaf.hash.equals(hashes[i]!)) fault('transaction-changed', id, 'it is not what was sealed');
    });
    const sealed = new Set(ids);
    for (const { id } of found) {
      if (!sealed.has(id)) fault('transaction-added', id, 'it was not there when the block was sealed');
    }
    if (missing.length > 0) await this.#checkMissing(seq, missing);
    this.#checkOrder(
      block,
      found,
      ids.filter(id => there.has(id)),
      missing.length === 0,
    );
  }

  #checkOrder(block: FullBlock, found: Leaf[], expected: string[], complete: boolean): void {
    const { seq, firstTransactionSeq, lastTransactionSeq } = block.header;
    const known = new Set(expected);
    const order = found.filter(leaf => known.has(leaf.id));
    const at = order.findIndex((leaf, i) => leaf.id !== expected[i]);
    if (at !== -1) {
      const detail = `the transaction at this place was ${expected[at]}`;
      this.report({ kind: 'order-changed', block: seq, transaction: order[at]!.id, detail });
    } else if (complete && order.length > 0) {
      const [first, last] = [order[0]!.seq, order.at(-1)!.seq];
      if (first !== firstTransactionSeq || last !== lastTransactionSeq) {
        const detail = `its transactions are ${first} to ${last}, the block says ${firstTransactionSeq} to ${lastTransactionSeq}`;
        this.report({ kind: 'order-changed', block: seq, transaction: null, detail });
      }
    }
  }

  async #checkMissing(seq: number, ids: string[]): Promise<void> {
    const days = new Set((await this.#droppedDays()).keys());
    for (const id of ids) {
      if (days.has(dayOf(id))) this.#dropped += 1;
      else
        this.report({
          kind: 'transaction-missing',
          block: seq,
          transaction: id,
          detail: 'it is gone, and its day was not dropped',
        });
    }
  }

  /** Leaves are forgotten when all transactions of the block are gone, and all older ones with them. */
  async #checkWithoutLeaves(block: FullBlock, found: Leaf[]): Promise<void> {
    const { count } = block.header;
    const [oldest] = await this.#query<{ xact: string }>(OLDEST, []);
    if (oldest !== undefined && BigInt(oldest.xact) < block.to) {
      this.#reportRoot(block, found, `its leaves are gone; of its ${count} transactions ${found.length} are there`);
    } else {
      this.#dropped += count;
    }
  }

  /** Leaves or root: the transactions that are there tell which. */
  #reportRoot({ header, root }: FullBlock, found: Leaf[], detail: string): void {
    const same = isRootOf(
      root,
      found.map(leaf => leaf.hash),
    );
    this.report({ kind: same ? 'leaves-changed' : 'root-changed', block: header.seq, transaction: null, detail });
  }

  async #checkDerived(): Promise<void> {
    const { breaches, examples } = await this.#inSnapshot(() => underived(this.#query, EXAMPLES));
    examples.forEach(example => this.report(example));
    this.#breaches += breaches - examples.length;
  }

  /** Over the whole chain, as many are gone as were dropped. */
  async #countDropped(): Promise<void> {
    let recorded = 0n;
    for (const n of (await this.#droppedDays()).values()) recorded += n;
    if (recorded === BigInt(this.#dropped)) return;
    const detail = `${this.#dropped} sealed transactions are gone, ${recorded} were dropped with their days`;
    this.report({ kind: 'dropped-days', block: null, transaction: null, detail });
  }

  async #droppedDays(): Promise<Map<string, bigint>> {
    const days = new Map<string, bigint>();
    for (const { day, n } of await this.#query<{ day: string; n: string }>(DROPPED_DAYS, ['YYYY-MM-DD'])) {
      days.set(day, (days.get(day) ?? 0n) + BigInt(n));
    }
    return days;
  }

  /** A day may be dropped meanwhile: what is read of one block is of one moment, and the day waits until it is read. */
  async #inSnapshot<T>(work: () => Promise<T>): Promise<T> {
    await this.#client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    try {
      return await work();
    } finally {
      await this.#client.query('ROLLBACK');
    }
  }
}

function isRootOf(root: Buffer, leaves: Buffer[]): boolean {
  return leaves.length > 0 && merkleRoot(leaves).equals(root);
}

/** The day (UTC) inside a UUIDv7. */
function dayOf(id: string): string {
  return new Date(parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toISOString().slice(0, 10);
}

/** Verifies the whole chain and what was published of it. Rejects when the database is away. */
export async function verify(
  config: Config,
  timeout: number,
  anchor: Anchor | undefined,
  signal?: AbortSignal,
): Promise<Verification> {
  const { client, query } = await connectReader(config, timeout);
  try {
    const verifier = new Verifier(client, query);
    // What is outside first: the chain has all of that, or it was cut.
    const { result: anchors, faults } = await verifyAnchors(query, anchor, config.serviceName);
    const last = await verifier.run({}, signal);
    for (const fault of faults) verifier.report(fault);
    const { ok, ...rest } = verifier.result();
    return {
      // A comparison that could not be made has shown nothing.
      ok: ok && anchors?.checked !== false,
      head: last === undefined ? null : { seq: last.seq, hash: last.hash.toString('hex') },
      ...rest,
      anchors,
    };
  } finally {
    await client.end();
  }
}
