import type { FastifyReply, FastifyRequest } from 'fastify';
import { invalid, ProblemError } from '../problems.ts';
import { clientOf } from './auth.ts';

/** Who asks, and under which key: the scope of an idempotent request. */
export type Caller = { clientId: string; idempotencyKey: string };

/** `replayed`: the answer was given before to the same request. */
export type Decided<T> = { replayed: boolean; body: T };

const KEY = /^[\x21-\x7e]{1,255}$/;

/** Runs before the body is read: a request without a key costs nothing. */
export async function requireIdempotencyKey(request: FastifyRequest): Promise<void> {
  const key = request.headers['idempotency-key'];
  if (key === undefined || key === '') {
    throw new ProblemError(
      'idempotency-key-missing',
      'Send a header Idempotency-Key with a new UUID; repeat it when you retry.',
      {
        errors: [{ pointer: '#/header/Idempotency-Key', code: 'required', message: 'is missing' }],
      },
    );
  }
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw invalid('#/header/Idempotency-Key', 'pattern', 'must be 1 to 255 printable characters without spaces');
  }
}

/** Who calls, and under which key. Only for routes that require the key. */
export function callerOf(request: FastifyRequest): Caller {
  return { clientId: clientOf(request), idempotencyKey: request.headers['idempotency-key'] as string };
}

/** 201 for what was done now, 200 for the answer of before. */
export function answer<T>(reply: FastifyReply, decided: Decided<T>, location: (body: T) => string): T {
  reply.header('location', location(decided.body));
  if (decided.replayed) {
    reply.code(200).header('idempotent-replayed', 'true');
  } else {
    reply.code(201);
  }
  return decided.body;
}
