import { Type, type TSchema } from 'typebox';
import { PROBLEMS, type ProblemCode } from '../problems.ts';
import type { ServiceDefinition } from '../service.ts';
import { ref } from './schemas.ts';

/** The head of the document; paths and schemas are added by the routes. */
export function openApiInfo({ title, version, description, tags }: ServiceDefinition['openapi']) {
  return {
    openapi: '3.1.0',
    info: { title, version, description },
    tags: [...tags, { name: 'operations', description: 'For those who run the service' }],
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

const ALWAYS: ProblemCode[] = [
  'validation-failed',
  'unauthenticated',
  'forbidden',
  'rate-limited',
  'internal',
  'overloaded',
  'database-unavailable',
];
const WITH_BODY: ProblemCode[] = ['malformed-json', 'payload-too-large', 'unsupported-media-type'];
const WITH_KEY: ProblemCode[] = [
  'idempotency-key-missing',
  'idempotency-conflict',
  'idempotency-mismatch',
  'idempotency-key-expired',
];

const BY_METHOD: Record<string, ProblemCode[]> = {
  GET: [],
  POST: [...WITH_BODY, ...WITH_KEY],
  PUT: WITH_BODY,
  // A POST that an id in its body names: no Idempotency-Key.
  EVENT: WITH_BODY,
};

/** The error responses of an operation, grouped by status. */
export function problems(method: 'GET' | 'POST' | 'PUT' | 'EVENT', ...codes: ProblemCode[]): Record<number, TSchema> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set([...codes, ...BY_METHOD[method]!, ...ALWAYS])) {
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
