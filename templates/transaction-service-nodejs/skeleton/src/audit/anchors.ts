import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { httpAnchor } from './http-anchor.ts';
import type { AnchorSettings } from './settings.ts';

/** What is published of a block: enough to prove later that the chain has not been written anew. */
export type Anchored = {
  /** Name of the service, for a partner who keeps several chains. */
  chain: string;
  shard: number;
  seq: number;
  /** Hexadecimal. */
  hash: string;
  sealedAt: string;
};

/** What a place outside has of the chain. */
export type AnchorRecord = Pick<Anchored, 'seq' | 'hash'>;

/** A place outside the reach of those who could change the database. */
export type Anchor = {
  kind: 'file' | 'http';
  /** Publishes a head. Resolves to a receipt. Throws AnchorConflict when the place has another hash for this block. */
  publish(head: Anchored, signal: AbortSignal): Promise<Record<string, unknown>>;
  /** What the place has of this chain, oldest first; a place may give its newest record alone. Throws when it is away. */
  records(chain: string, shard: number): AsyncIterable<AnchorRecord>;
};

/** The place outside has another hash for a block: the chain was written anew, or two databases use one name. */
export class AnchorConflict extends Error {}

export function createAnchor(settings: AnchorSettings): Anchor | undefined {
  switch (settings.kind) {
    case 'file':
      return fileAnchor(settings.path);
    case 'http':
      return httpAnchor(settings);
    default:
      return undefined;
  }
}

/** Appends lines of JSON to a file, which should lie where the service may append but nobody may change: a WORM mount, say. */
export function fileAnchor(path: string): Anchor {
  return {
    kind: 'file',
    async publish(head) {
      const file = await open(path, 'a', 0o640);
      try {
        const anchoredAt = new Date().toISOString();
        await file.appendFile(`${JSON.stringify({ ...head, anchoredAt })}\n`);
        await file.sync();
        return { anchoredAt };
      } finally {
        await file.close();
      }
    },
    async *records(chain, shard) {
      const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity });
      let number = 0;
      for await (const line of lines) {
        number += 1;
        if (line === '') continue;
        const record = parse(line);
        if (record === undefined) throw new Error(`line ${number} of the anchor file is not one that was written here`);
        if (record.chain === chain && record.shard === shard) yield { seq: record.seq, hash: record.hash };
      }
    },
  };
}

function parse(line: string): Anchored | undefined {
  try {
    const record = JSON.parse(line) as Partial<Anchored> | null;
    return Number.isSafeInteger(record?.seq) && typeof record?.hash === 'string' ? (record as Anchored) : undefined;
  } catch {
    return undefined;
  }
}
