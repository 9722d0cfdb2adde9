import { Type, type TSchema } from 'typebox';
import { ref } from '../ledger/schemas.ts';
import { PROBLEMS, type ProblemCode } from '../problems.ts';

export function openApiInfo() {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Transaction service',
      version: '1.0.0',
      description:
        'Double-entry ledger. Money is minor units as decimal text beside its currency. Every POST needs an `Idempotency-Key`: ' +
        'the same request with the same key is carried out once and answered alike. Errors are problem details (RFC 9457).',
    },
    tags: [
      { name: 'accounts', description: 'Accounts, balances and history' },
      { name: 'transactions', description: 'Post and reverse' },
      { name: 'reports', description: 'Proof that the books are in order' },
      { name: 'operations', description: 'For those who run the service' },
    ],
  };
}

export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'A page about this error' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String(),
    code: Type.Enum(Object.keys(PROBLEMS)),
    traceId: Type.String(),
    errors: Type.Optional(
      Type.Array(Type.Object({ pointer: Type.String(), code: Type.String(), message: Type.String() })),
    ),
  },
  { $id: 'Problem' },
);

/** Headers of every POST, for the document; they are checked in idempotency.ts. */
export const IdempotentHeaders = Type.Object({
  'Idempotency-Key': Type.String({ description: 'A new UUID for each request; the same one for its retries' }),
  'X-Client-Id': Type.Optional(Type.String({ description: 'Set by the gateway' })),
});

const ALWAYS: ProblemCode[] = ['validation-failed', 'internal', 'overloaded', 'database-unavailable'];
const ON_POST: ProblemCode[] = [
  'malformed-json',
  'idempotency-key-missing',
  'idempotency-conflict',
  'idempotency-mismatch',
  'payload-too-large',
  'unsupported-media-type',
];

/** The error responses of an operation, grouped by status. */
export function problems(method: 'GET' | 'POST', ...codes: ProblemCode[]): Record<number, TSchema> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of [...codes, ...(method === 'POST' ? ON_POST : []), ...ALWAYS]) {
    const status = PROBLEMS[code].status;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const responses: Record<number, TSchema> = {};
  for (const [status, list] of byStatus) {
    responses[status] = {
      description: list.join(', '),
      content: { 'application/problem+json': { schema: ref(ProblemSchema) } },
    } as never;
  }
  return responses;
}
