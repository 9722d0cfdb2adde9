import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { answer, callerOf, requireIdempotencyKey } from '../../platform/http/idempotency.ts';
import { IdempotentHeaders, problems } from '../../platform/http/openapi.ts';
import { Paging } from '../../platform/http/paging.ts';
import { Id, ref } from '../../platform/http/schemas.ts';
import type { Ledger } from '../ledger.ts';
import { Account, Balance, EntryPage, NewAccount, NewStatus } from '../schemas.ts';

const Params = Type.Object({ id: Id });

export const accountRoutes: FastifyPluginAsyncTypebox<{ ledger: Ledger }> = async (app, { ledger }) => {
  app.post(
    '/accounts',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'openAccount',
        summary: 'Open an account',
        tags: ['accounts'],
        headers: IdempotentHeaders,
        body: NewAccount,
        response: { 201: ref(Account), 200: ref(Account), ...problems('POST') },
      },
    },
    async (request, reply) =>
      answer(reply, await ledger.openAccount(callerOf(request), request.body), body => `/v1/accounts/${body.id}`),
  );

  app.get(
    '/accounts/:id',
    {
      schema: {
        operationId: 'getAccount',
        summary: 'Read an account',
        tags: ['accounts'],
        params: Params,
        response: { 200: ref(Account), ...problems('GET', 'not-found') },
      },
    },
    async request => ledger.account(request.params.id),
  );

  app.post(
    '/accounts/:id/status',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'setAccountStatus',
        summary: 'Freeze, reopen or close an account',
        tags: ['accounts'],
        headers: IdempotentHeaders,
        params: Params,
        body: NewStatus,
        response: {
          201: ref(Account),
          200: ref(Account),
          ...problems('POST', 'not-found', 'account-closed', 'account-not-empty'),
        },
      },
    },
    async (request, reply) =>
      answer(
        reply,
        await ledger.setAccountStatus(callerOf(request), request.params.id, request.body),
        body => `/v1/accounts/${body.id}`,
      ),
  );

  app.get(
    '/accounts/:id/balance',
    {
      schema: {
        operationId: 'getBalance',
        summary: 'Read the balance',
        description:
          'The strong ETag changes whenever any figure of the balance does, pending ones included; If-None-Match saves the body. With `at`: ' +
          'the posted figures of all entries whose effectiveAt is not after it; pending and available are null then.',
        tags: ['accounts'],
        headers: Type.Object({
          'If-None-Match': Type.Optional(Type.String({ description: 'The ETag of an earlier answer' })),
        }),
        params: Params,
        querystring: Type.Object(
          {
            at: Type.Optional(
              Type.String({ format: 'date-time', description: 'A moment of business time (RFC 3339)' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: ref(Balance),
          304: Type.Null({ description: 'The balance is still the one that you know' }),
          ...problems('GET', 'not-found'),
        },
      },
    },
    async (request, reply) => {
      const { tag, body } = await ledger.balance(request.params.id, request.query.at);
      const etag = `"${tag}"`;
      reply.header('etag', etag).header('cache-control', 'private, no-cache');
      const known = String(request.headers['if-none-match'] ?? '')
        .split(',')
        .map(known => known.trim().replace(/^W\//, ''));
      if (known.includes(etag) || known.includes('*')) return reply.code(304).send(null as never);
      return body;
    },
  );

  app.get(
    '/accounts/:id/entries',
    {
      schema: {
        operationId: 'listEntries',
        summary: 'Read the history, newest first',
        tags: ['accounts'],
        params: Params,
        querystring: Type.Object(Paging, { additionalProperties: false }),
        response: { 200: ref(EntryPage), ...problems('GET', 'not-found') },
      },
    },
    async request => ledger.entries(request.params.id, request.query.limit, request.query.cursor),
  );
};
