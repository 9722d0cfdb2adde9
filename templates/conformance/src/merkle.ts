import { createHash } from 'node:crypto';

/** The audit chain as templates/contracts/transaction-service/audit.md defines it, version 1. */

/** Canonical JSON (RFC 8785) of values without fractions. Throws on numbers that are no safe integers. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.keys(value)
      .sort()
      .map(
        name =>
          `${JSON.stringify(name)}:${canonicalJson(
            (value as Record<string, unknown>)[name],
          )}`,
      );
    return `{${members.join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new Error(`${value} is not sealed: only integers are`);
  if (value === undefined) throw new Error('undefined is no JSON');
  return JSON.stringify(value);
}

const sha256 = (...parts: (Buffer | string)[]) =>
  parts
    .reduce((hash, part) => hash.update(part), createHash('sha256'))
    .digest();

export function leafHash(content: string): Buffer {
  return sha256(Buffer.of(0), content);
}

export function nodeHash(left: Buffer, right: Buffer): Buffer {
  return sha256(Buffer.of(1), left, right);
}

export type Block = {
  shard: number;
  seq: number;
  version: number;
  count: number;
  firstTransactionSeq: string;
  lastTransactionSeq: string;
  merkleRoot: string;
  prevHash: string;
  sealedAt: string;
  hash: string;
};

export function blockHash(block: Block): string {
  const { merkleRoot, prevHash, hash: _, ...header } = block;
  return sha256(
    Buffer.of(2),
    Buffer.from(prevHash, 'hex'),
    Buffer.from(merkleRoot, 'hex'),
    canonicalJson(header),
  ).toString('hex');
}

/** Root of the tree over these leaf hashes, RFC 6962 section 2.1. Throws for none. */
export function treeRoot(leaves: Buffer[]): Buffer {
  if (leaves.length === 0) throw new Error('a tree has at least one leaf');
  if (leaves.length === 1) return leaves[0];
  const k = split(leaves.length);
  return nodeHash(treeRoot(leaves.slice(0, k)), treeRoot(leaves.slice(k)));
}

/** Siblings of a leaf from the leaf up. */
export function inclusionPath(index: number, leaves: Buffer[]): Buffer[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...inclusionPath(index, leaves.slice(0, k)), treeRoot(leaves.slice(k))]
    : [
        ...inclusionPath(index - k, leaves.slice(k)),
        treeRoot(leaves.slice(0, k)),
      ];
}

function split(count: number): number {
  let k = 1;
  while (k * 2 < count) k *= 2;
  return k;
}

/** The root that a path leads to (RFC 9162, 2.1.3.2); undefined when its length does not fit the tree. */
export function rootOfPath(
  leaf: Buffer,
  index: number,
  count: number,
  path: Buffer[],
): Buffer | undefined {
  if (index >= count) return undefined;
  let fn = index;
  let sn = count - 1;
  let root = leaf;
  for (const sibling of path) {
    if (sn === 0) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      root = nodeHash(sibling, root);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      root = nodeHash(root, sibling);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 ? root : undefined;
}
