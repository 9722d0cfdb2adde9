import { decodeCursor, page, type Page } from '../platform/http/paging.ts';
import { ProblemError } from '../platform/problems.ts';
import { readBlockOf, readBlocks, readHead, readUnsealed, type Block } from './chain.ts';
import { inclusionPath, merkleRoot } from './merkle.ts';
import type { AuditBlock, AuditHead, AuditProof } from './schemas.ts';
import { readOne, type Query } from './sealed.ts';

const RETRY_AFTER_SECONDS = 2;

export async function auditHead(query: Query): Promise<AuditHead> {
  // The head first: what is sealed meanwhile is then counted in neither.
  const { block } = await readHead(query);
  const { n, lag } = await readUnsealed(query);
  return { block: block === undefined ? null : shown(block), unsealed: n, lagSeconds: lag };
}

/** Oldest first. `cursor` is the block after which to go on. */
export async function auditBlocks(query: Query, limit: number, cursor?: string): Promise<Page<AuditBlock>> {
  const after = cursor === undefined ? 0 : decodeCursor(cursor, /^[0-9]{1,18}$/);
  const blocks = await readBlocks(query, after, limit + 1);
  return page(
    blocks.map(block => ({ body: shown(block) })),
    limit,
    block => String(block.seq),
  );
}

/** Throws not-found or audit-not-sealed, and a plain error when the transaction is not what was sealed: there is no proof of that. */
export async function auditProof(query: Query, id: string): Promise<AuditProof> {
  const leaf = await readOne(query, id.toLowerCase());
  if (leaf === undefined) throw new ProblemError('not-found', `There is no transaction ${id}.`);
  const block = await readBlockOf(query, leaf.xact);
  if (block === undefined) {
    throw new ProblemError('audit-not-sealed', 'The transaction is not part of a block yet.', {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
  const { ids, hashes } = block.leaves ?? { ids: [], hashes: [] };
  const index = ids.indexOf(leaf.id);
  if (index === -1 || !hashes[index]!.equals(leaf.hash) || !merkleRoot(hashes).equals(block.root)) {
    throw new Error(`transaction ${leaf.id} is not what was sealed in block ${block.header.seq}: run npm run verify`);
  }
  return {
    transactionId: leaf.id,
    document: JSON.parse(leaf.text) as AuditProof['document'],
    leafHash: leaf.hash.toString('hex'),
    leafIndex: index,
    path: inclusionPath(hashes, index).map(hash => hash.toString('hex')),
    block: shown(block),
  };
}

/** A block as the API shows it. */
export function shown({ header, root, prev, hash }: Block): AuditBlock {
  return {
    ...header,
    merkleRoot: root.toString('hex'),
    prevHash: prev.toString('hex'),
    hash: hash.toString('hex'),
  };
}
