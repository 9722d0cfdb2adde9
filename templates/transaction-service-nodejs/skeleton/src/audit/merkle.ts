import { createHash, hash } from 'node:crypto';

/** The hashes of contracts/audit.md, version 1. */

export const VERSION = 1;
export const NO_HASH = Buffer.alloc(32);

/** What of a block its hash covers beside the two hashes. */
export type BlockHeader = {
  shard: number;
  seq: number;
  version: number;
  count: number;
  firstTransactionSeq: string;
  lastTransactionSeq: string;
  sealedAt: string;
};

const NODE = Buffer.of(1);
const BLOCK = Buffer.of(2);

function sha256(...parts: (Buffer | string)[]): Buffer {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part);
  return sum.digest();
}

/** RFC 8785 for values whose numbers are all integers. Throws for any other number. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    // Without a comparison of its own, sort goes by UTF-16 code units, as the RFC does.
    const names = Object.keys(value).sort();
    return `{${names.map(name => `${JSON.stringify(name)}:${canonicalJson((value as Record<string, unknown>)[name])}`).join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new Error(`${value} is not an integer`);
  const text = JSON.stringify(value);
  if (text === undefined) throw new Error(`${typeof value} is not JSON`);
  return text;
}

/** `text`: the canonical JSON of the sealed form. */
export function leafHash(text: string): Buffer {
  // In one call, with the byte 0x00 as a character: there are many leaves.
  return hash('sha256', `\0${text}`, 'buffer');
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return sha256(NODE, left, right);
}

/** The tree of RFC 6962, from the leaves up: two and two, a single one at the end goes up as it is. */
function levels(leaves: readonly Buffer[]): (readonly Buffer[])[] {
  if (leaves.length === 0) throw new Error('a tree has at least one leaf');
  const all = [leaves];
  for (let below = leaves; below.length > 1; all.push(below)) {
    const above: Buffer[] = [];
    for (let i = 0; i < below.length; i += 2) {
      const right = below[i + 1];
      above.push(right === undefined ? below[i]! : nodeHash(below[i]!, right));
    }
    below = above;
  }
  return all;
}

/** The root over these leaf hashes. Throws for none. */
export function merkleRoot(leaves: readonly Buffer[]): Buffer {
  return levels(leaves).at(-1)![0]!;
}

/** The siblings that lead from a leaf to the root, from the leaf up. */
export function inclusionPath(leaves: readonly Buffer[], index: number): Buffer[] {
  return levels(leaves).flatMap((level, height) => level[Math.floor(index / 2 ** height) ^ 1] ?? []);
}

/** The root that a path leads to (RFC 9162, section 2.1.3.2); undefined when it is not a path of a tree with so many leaves. */
export function rootOfPath(leaf: Buffer, index: number, count: number, path: readonly Buffer[]): Buffer | undefined {
  if (!Number.isSafeInteger(index) || index < 0 || index >= count) return undefined;
  let at = index;
  let last = count - 1;
  let root = leaf;
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      root = nodeHash(sibling, root);
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else {
      root = nodeHash(root, sibling);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? root : undefined;
}

export function blockHash(header: BlockHeader, prevHash: Buffer, root: Buffer): Buffer {
  const { shard, seq, version, count, firstTransactionSeq, lastTransactionSeq, sealedAt } = header;
  const covered = { shard, seq, version, count, firstTransactionSeq, lastTransactionSeq, sealedAt };
  return sha256(BLOCK, prevHash, root, canonicalJson(covered));
}

/** Hashes that were written one after the other, 32 bytes each. */
export function splitHashes(joined: Buffer): Buffer[] {
  return Array.from({ length: joined.length / 32 }, (_, i) => joined.subarray(i * 32, (i + 1) * 32));
}
