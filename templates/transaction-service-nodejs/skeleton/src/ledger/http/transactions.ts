import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { answer, callerOf, requireIdempotencyKey } from '../../platform/http/idempotency.ts';
import { IdempotentHeaders, problems } from '../../platform/http/openapi.ts';
import { Paging } from '../../platform/http/paging.ts';
import { Id, ref } from '../../platform/http/schemas.ts';
import type { Ledger } from '../ledger.ts';
import {
  ExternalRef,
  NewReversal,
  NewTransaction,
  Transaction,
  TransactionDetail,
  TransactionPage,
  TrialBalance,
} from '../schemas.ts';

const Params = Type.Object({ id: Id });

const REFUSALS = ['insufficient-funds', 'limit-exceeded', 'account-frozen', 'account-closed'] as const;

export const transactionRoutes: FastifyPluginAsyncTypebox<{ ledger: Ledger }> = async (app, { ledger }) => {
  app.post(
    '/transactions',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'postTransaction',
        summary: 'Post a transaction',
        tags: ['transactions'],
        headers: IdempotentHeaders,
        body: NewTransaction,
        response: {
          201: ref(Transaction),
          200: ref(Transaction),
          ...problems('POST', 'account-unknown', 'currency-mismatch', ...REFUSALS),
        },
      },
    },
    async (request, reply) =>
      answer(reply, await ledger.post(callerOf(request), request.body), body => `/v1/transactions/${body.id}`),
  );

  app.post(
    '/transactions/:id/reversal',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'reverseTransaction',
        summary: 'Reverse a transaction in full or in part',
        tags: ['transactions'],
        headers: IdempotentHeaders,
        params: Params,
        body: NewReversal,
        response: {
          201: ref(Transaction),
          200: ref(Transaction),
          ...problems('POST', 'not-found', 'already-reversed', 'not-reversible', 'currency-mismatch', ...REFUSALS),
        },
      },
    },
    async (request, reply) =>
      answer(
        reply,
        await ledger.reverse(callerOf(request), request.params.id, request.body),
        body => `/v1/transactions/${body.id}`,
      ),
  );

  app.get(
    '/transactions/:id',
    {
      schema: {
        operationId: 'getTransaction',
        summary: 'Read a transaction and what was reversed of it',
        tags: ['transactions'],
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
        tags: ['transactions'],
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
