import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ROOT } from '../scripts/contract.ts';
import { blockHash, canonicalJson, inclusionPath, leafHash, merkleRoot, rootOfPath } from '../src/audit/merkle.ts';

const vectors = JSON.parse(readFileSync(join(ROOT, 'contracts/audit-vectors.json'), 'utf8'));
const hex = (hash: Buffer | undefined) => hash?.toString('hex');
const bytes = (hashes: string[]) => hashes.map(hash => Buffer.from(hash, 'hex'));

describe('the worked examples of the contract, which another program made', () => {
  const leaves: Buffer[] = vectors.leaves.map(({ document }: any) => leafHash(canonicalJson(document)));

  it.each(vectors.leaves as any[])('leaf $hash', ({ document, canonical, hash }) => {
    expect(canonicalJson(document)).toBe(canonical);
    expect(hex(leafHash(canonicalJson(document)))).toBe(hash);
  });

  it.each(vectors.trees as any[])('a tree of $count', ({ count, root, paths }) => {
    const some = leaves.slice(0, count);
    expect(hex(merkleRoot(some))).toBe(root);
    expect(some.map((_, i) => inclusionPath(some, i).map(hex))).toEqual(paths);
  });

  it('a large tree', () => {
    const { count, root, paths } = vectors.largeTree;
    const large = Array.from({ length: count }, (_, i) => leafHash(String(i)));
    expect(hex(merkleRoot(large))).toBe(root);
    for (const [index, path] of Object.entries<string[]>(paths)) {
      expect(inclusionPath(large, Number(index)).map(hex)).toEqual(path);
      expect(hex(rootOfPath(large[Number(index)]!, Number(index), count, bytes(path)))).toBe(root);
    }
  });

  it.each(vectors.blocks as any[])('block $seq', ({ merkleRoot: root, prevHash, hash, ...header }) => {
    expect(hex(blockHash(header, Buffer.from(prevHash, 'hex'), Buffer.from(root, 'hex')))).toBe(hash);
  });
});

it('canonical JSON has one form, and none for what could be written in two ways', () => {
  expect(canonicalJson({ b: [null, true], a: { é: 'ä\u2028', Z: 2, '\u{1f600}': '', '\ufb33': '"\\\n' } })).toBe(
    '{"a":{"Z":2,"é":"ä\u2028","\u{1f600}":"","\ufb33":"\\"\\\\\\n"},"b":[null,true]}',
  );
  expect(() => canonicalJson(1.5)).toThrow('1.5 is not an integer');
  expect(() => canonicalJson({ a: 2 ** 53 })).toThrow('is not an integer');
  expect(() => canonicalJson({ a: undefined })).toThrow('undefined is not JSON');
  expect(() => merkleRoot([])).toThrow('at least one leaf');
});

describe('for trees of any size', () => {
  const tree = fc
    .integer({ min: 1, max: 600 })
    .chain(count => fc.tuple(fc.constant(count), fc.nat(count - 1), fc.string()))
    .map(([count, index, salt]) => {
      const leaves = Array.from({ length: count }, (_, i) => leafHash(`${salt} ${i}`));
      return { leaves, index, root: merkleRoot(leaves), path: inclusionPath(leaves, index) };
    });

  it('each proof leads to the root', () => {
    fc.assert(
      fc.property(tree, ({ leaves, index, root, path }) => {
        expect(hex(rootOfPath(leaves[index]!, index, leaves.length, path))).toBe(hex(root));
      }),
    );
  });

  it('the tree is that of RFC 6962: split below its size at the largest power of two', () => {
    const recursive = (leaves: Buffer[]): Buffer => {
      if (leaves.length === 1) return leaves[0]!;
      let k = 1;
      while (k * 2 < leaves.length) k *= 2;
      return merkleRoot([recursive(leaves.slice(0, k)), recursive(leaves.slice(k))]);
    };
    fc.assert(fc.property(tree, ({ leaves, root }) => expect(hex(root)).toBe(hex(recursive(leaves)))));
  });

  it('no proof holds after one bit, one place or one sibling was changed', () => {
    const flipped = (hash: Buffer, bit: number) => {
      const copy = Buffer.from(hash);
      copy[bit >> 3]! ^= 1 << (bit & 7);
      return copy;
    };
    fc.assert(
      fc.property(tree, fc.nat(255), fc.nat(), ({ leaves, index, root, path }, bit, at) => {
        const { length: count } = leaves;
        const leaf = leaves[index]!;
        const wrong = [
          rootOfPath(flipped(leaf, bit), index, count, path),
          rootOfPath(leaf, count, count, path),
          rootOfPath(leaf, -1, count, path),
          rootOfPath(leaf, index + 0.5, count, path),
        ];
        if (path.length > 0) {
          const changed = at % path.length;
          wrong.push(
            rootOfPath(leaf, index, count, path.with(changed, flipped(path[changed]!, bit))),
            rootOfPath(leaf, (index + 1) % count, count, path),
            rootOfPath(leaves[(index + 1) % count]!, index, count, path),
          );
        }
        for (const found of wrong) expect(hex(found)).not.toBe(hex(root));
        // A path of another length is none of this tree, whatever it leads to.
        expect(rootOfPath(leaf, index, count, [...path, leaf])).toBeUndefined();
        if (path.length > 0) expect(rootOfPath(leaf, index, count, path.slice(1))).toBeUndefined();
      }),
    );
  });

  it('a document with one member changed is another leaf', () => {
    const members = fc.record({ metadata: fc.dictionary(fc.string(), fc.string()), externalRef: fc.string() });
    fc.assert(
      fc.property(members, members, (one, other) => {
        expect(leafHash(canonicalJson(one)).equals(leafHash(canonicalJson(other)))).toBe(
          canonicalJson(one) === canonicalJson(other),
        );
        expect(JSON.parse(canonicalJson(one))).toEqual(one);
      }),
    );
  });
});

describe('a block hash', () => {
  const header = { shard: 0, seq: 2, version: 1, count: 3, firstTransactionSeq: '4', lastTransactionSeq: '6' };
  const block = { ...header, sealedAt: '2026-01-31T09:05:01.000000Z' };
  const [prev, root] = [leafHash('prev'), leafHash('root')];

  it.each([
    { shard: 1 },
    { seq: 3 },
    { version: 2 },
    { count: 4 },
    { firstTransactionSeq: '5' },
    { lastTransactionSeq: '7' },
    { sealedAt: '2026-01-31T09:05:01.000001Z' },
  ])('is another one with %p', change => {
    expect(hex(blockHash({ ...block, ...change }, prev, root))).not.toBe(hex(blockHash(block, prev, root)));
  });

  it('is another one with another root or predecessor', () => {
    expect(hex(blockHash(block, root, root))).not.toBe(hex(blockHash(block, prev, root)));
    expect(hex(blockHash(block, prev, prev))).not.toBe(hex(blockHash(block, prev, root)));
  });
});
