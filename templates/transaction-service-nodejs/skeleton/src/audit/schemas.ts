import { Type, type Static, type TSchema } from 'typebox';
import { Id, nullable, ref, Timestamp } from '../platform/http/schemas.ts';
import { Transaction } from '../ledger/schemas.ts';

/** Shapes of the audit chain in the API; contracts/audit.md says what they mean. */

const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Digits = Type.String({ pattern: '^[0-9]+$' });

export const AuditBlock = Type.Object(
  {
    shard: Type.Integer(),
    seq: Type.Integer({ description: 'Counts the blocks of the shard: 1, 2, 3 without a gap' }),
    version: Type.Integer({ description: 'The definition in audit.md that it was made by: 1' }),
    count: Type.Integer({ minimum: 1, description: 'Number of transactions in the block' }),
    firstTransactionSeq: Digits,
    lastTransactionSeq: Digits,
    merkleRoot: Hash,
    prevHash: Hash,
    sealedAt: Timestamp,
    hash: Hash,
  },
  { $id: 'AuditBlock' },
);

export const AuditHead = Type.Object(
  {
    block: Type.Union([ref(AuditBlock), Type.Null()], { description: 'null before the first block' }),
    unsealed: Type.Integer({ minimum: 0, description: 'Transactions that wait to be sealed' }),
    lagSeconds: Type.Number({ minimum: 0, description: 'Age of the oldest of them' }),
  },
  { $id: 'AuditHead' },
);

export const AuditBlockPage = Type.Object(
  { items: Type.Array(ref(AuditBlock)), nextCursor: nullable(Type.String()) },
  { $id: 'AuditBlockPage' },
);

export const AuditProof = Type.Object(
  {
    transactionId: Id,
    document: ref(Transaction),
    leafHash: Hash,
    leafIndex: Type.Integer({ minimum: 0 }),
    path: Type.Array(Hash, { description: 'Hashes of the siblings, from the leaf up' }),
    block: ref(AuditBlock),
  },
  { $id: 'AuditProof' },
);

export const AUDIT_SHARED: TSchema[] = [AuditBlock, AuditHead, AuditBlockPage, AuditProof];

export type AuditBlock = Static<typeof AuditBlock>;
export type AuditHead = Static<typeof AuditHead>;
export type AuditProof = Static<typeof AuditProof>;
