import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { answer, callerOf, requireIdempotencyKey, type Decided } from '../../platform/http/idempotency.ts';
import { IdempotentHeaders, problems } from '../../platform/http/openapi.ts';
import { Paging } from '../../platform/http/paging.ts';
import { Id, ref } from '../../platform/http/schemas.ts';
import { PROBLEMS } from '../../platform/problems.ts';
import type { Ledger, Written } from '../ledger.ts';
import type { ItemResult } from '../post.ts';
import { toRefusal } from '../refusals.ts';
import {
  BatchResult,
  ExternalRef,
  NewBatch,
  NewPart,
  NewTransaction,
  NewVoid,
  Transaction,
  TransactionDetail,
  TransactionPage,
  TrialBalance,
  type ItemProblem,
} from '../schemas.ts';

const Params = Type.Object({ id: Id });
const NOTHING_TAKEN = ['account-frozen', 'account-closed'] as const;
const BATCH_BODY_LIMIT = 1024 * 1024;

type Options = {
  ledger: Ledger;
  /** What stands before the code in the `type` of an error. */
  problemBase: string;
};

/** Sends JSON that the database has made, byte for byte. */
function sendJson(reply: FastifyReply, text: string): never {
  // The type of a route's answer is the parsed document; what is sent is its text.
  return reply.type('application/json; charset=utf-8').serializer(String).send(text) as never;
}

function sendWritten(reply: FastifyReply, decided: Decided<Written>): never {
  const { document } = answer(reply, decided, body => `/v1/transactions/${body.id}`);
  return sendJson(reply, document);
}

export const transactionRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { ledger, problemBase }) => {
  const tags = ['transactions'];

  function itemText(item: ItemResult, index: number): string {
    if ('document' in item) return `{"index":${index},"status":201,"transaction":${item.document},"problem":null}`;
    const { code, status, message: detail, errors } = toRefusal(item.refusal, false, `/items/${index}`);
    const { title } = PROBLEMS[code];
    const problem: ItemProblem = { type: `${problemBase}${code}`, title, status, detail, code };
    if (errors.length > 0) problem.errors = errors;
    return `{"index":${index},"status":${status},"transaction":null,"problem":${JSON.stringify(problem)}}`;
  }

  app.post(
    '/transactions',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'postTransaction',
        summary: 'Post a transaction, or hold it as pending',
        tags,
        headers: IdempotentHeaders,
        body: NewTransaction,
        response: {
          201: ref(Transaction),
          200: ref(Transaction),
          ...problems(
            'POST',
            'account-unknown',
            'currency-mismatch',
            'insufficient-funds',
            'limit-exceeded',
            ...NOTHING_TAKEN,
          ),
        },
      },
    },
    async (request, reply) => sendWritten(reply, await ledger.post(callerOf(request), request.body)),
  );

  app.post(
    '/transactions::batch',
    {
      onRequest: requireIdempotencyKey,
      bodyLimit: BATCH_BODY_LIMIT,
      schema: {
        operationId: 'postTransactions',
        summary: 'Post up to 500 transactions, each decided on its own',
        description:
          'Items are decided in their order and independently: one that is refused leaves the others alone, and what one brings the next ' +
          'may spend. The key covers the whole body; a repetition answers with the results of the first time and with ' +
          '`Idempotent-Replayed: true`. A body of a wrong form is refused as a whole (400), because nothing of it was decided. The body ' +
          'may be 1 MiB large.',
        tags,
        headers: IdempotentHeaders,
        body: NewBatch,
        response: { 200: ref(BatchResult), ...problems('POST') },
      },
    },
    async (request, reply) => {
      const { replayed, body } = await ledger.postAll(callerOf(request), request.body.items);
      if (replayed) reply.header('idempotent-replayed', 'true');
      return sendJson(reply, `{"items":[${body.map(itemText).join(',')}]}`);
    },
  );

  app.post(
    '/transactions/:id/reversal',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'reverseTransaction',
        summary: 'Reverse a posted transaction in full or in part',
        description:
          'All reversals of a transaction together never exceed it. What is pending is voided, not reversed.',
        tags,
        headers: IdempotentHeaders,
        params: Params,
        body: NewPart,
        response: {
          201: ref(Transaction),
          200: ref(Transaction),
          ...problems(
            'POST',
            'not-found',
            'already-reversed',
            'not-reversible',
            'currency-mismatch',
            'insufficient-funds',
            'limit-exceeded',
            ...NOTHING_TAKEN,
          ),
        },
      },
    },
    async (request, reply) =>
      sendWritten(reply, await ledger.reverse(callerOf(request), request.params.id, request.body)),
  );

  app.post(
    '/transactions/:id/post',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'postPending',
        summary: 'Post what was pending, in full or in part',
        description: 'A pending transaction is settled once. What is not posted is released.',
        tags,
        headers: IdempotentHeaders,
        params: Params,
        body: NewPart,
        response: {
          201: ref(Transaction),
          200: ref(Transaction),
          ...problems(
            'POST',
            'not-found',
            'not-pending',
            'already-resolved',
            'pending-expired',
            'pending-exceeded',
            'currency-mismatch',
            ...NOTHING_TAKEN,
          ),
        },
      },
    },
    async (request, reply) =>
      sendWritten(reply, await ledger.postPending(callerOf(request), request.params.id, request.body)),
  );

  app.post(
    '/transactions/:id/void',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'voidPending',
        summary: 'Release what was pending',
        description: 'Works on frozen accounts too, because no money moves.',
        tags,
        headers: IdempotentHeaders,
        params: Params,
        body: NewVoid,
        response: {
          201: ref(Transaction),
          200: ref(Transaction),
          ...problems('POST', 'not-found', 'not-pending', 'already-resolved', 'pending-expired'),
        },
      },
    },
    async (request, reply) =>
      sendWritten(reply, await ledger.voidPending(callerOf(request), request.params.id, request.body)),
  );

  app.get(
    '/transactions/:id',
    {
      schema: {
        operationId: 'getTransaction',
        summary: 'Read a transaction and what became of it',
        tags,
        params: Params,
        response: { 200: ref(TransactionDetail), ...problems('GET', 'not-found') },
      },
    },
    async request => ledger.transaction(request.params.id),
  );

  app.get(
    '/transactions',
    {
      schema: {
        operationId: 'listTransactions',
        summary: 'Find transactions, newest first',
        tags,
        querystring: Type.Object(
          { ...Paging, externalRef: Type.Optional(ExternalRef) },
          { additionalProperties: false },
        ),
        response: { 200: ref(TransactionPage), ...problems('GET') },
      },
    },
    async request => ledger.transactions(request.query.limit, request.query.externalRef, request.query.cursor),
  );

  app.get(
    '/reports/trial-balance',
    {
      schema: {
        operationId: 'getTrialBalance',
        summary: 'Debits and credits of all accounts per currency',
        tags: ['reports'],
        response: { 200: ref(TrialBalance), ...problems('GET') },
      },
    },
    async () => ledger.trialBalance(),
  );
};
