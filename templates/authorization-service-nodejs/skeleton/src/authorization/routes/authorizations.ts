import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { answer, callerOf, requireIdempotencyKey } from '../../platform/http/idempotency.ts';
import { IdempotentHeaders, problems } from '../../platform/http/openapi.ts';
import { Paging } from '../../platform/http/paging.ts';
import { Id, ref } from '../../platform/http/schemas.ts';
import { invalid } from '../../platform/problems.ts';
import type { Authorizations } from '../authorizations.ts';
import {
  Authorization,
  AuthorizationEvent,
  AuthorizationEvents,
  AuthorizationPage,
  NetworkRef,
  NetworkReversal,
  NewAuthorization,
  NewCapture,
  NewExpiry,
  NewIncrement,
  NewNetworkReversal,
  NewReversal,
} from '../schemas.ts';

const Params = Type.Object({ id: Id });
const tags = ['authorizations'];

const MAX_DEADLINE = 60_000;

const DecisionHeaders = Type.Object({
  ...IdempotentHeaders.properties,
  'X-Deadline-Ms': Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: MAX_DEADLINE,
      description:
        'Milliseconds the caller still waits, counted from the arrival of the request, so that clocks need not agree. A decision that is not made by then is DECLINED with 91 and recorded. Without it there is no deadline.',
    }),
  ),
});

/** When the caller stops waiting, on the clock of performance.now(). Headers are not validated by the framework (see validation.ts). */
function deadlineOf(request: FastifyRequest, reply: FastifyReply): number | undefined {
  const text = request.headers['x-deadline-ms'];
  if (text === undefined) return undefined;
  if (typeof text !== 'string' || !/^[0-9]{1,5}$/.test(text) || Number(text) > MAX_DEADLINE) {
    throw invalid(
      '#/header/X-Deadline-Ms',
      'range',
      `must be a whole number of milliseconds from 0 to ${MAX_DEADLINE}`,
    );
  }
  return performance.now() - reply.elapsedTime + Number(text);
}

const eventAddress = (event: AuthorizationEvent) => `/v1/authorizations/${event.authorizationId}/events`;

export const authorizationRoutes: FastifyPluginAsyncTypebox<{ authorizations: Authorizations }> = async (
  app,
  { authorizations },
) => {
  app.post(
    '/authorizations',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'authorize',
        summary: 'Decide about a payment and hold its amount',
        description:
          'A decline is an answer, not an error: 201 with `decision: DECLINED`. The same `networkRef` with the same body is answered as the first time, under any key; with another body it is 422. An authorization that comes after its own reversal is DECLINED with 96.',
        tags,
        headers: DecisionHeaders,
        body: NewAuthorization,
        response: {
          201: ref(Authorization),
          200: ref(Authorization),
          ...problems('POST', 'network-ref-mismatch'),
        },
      },
    },
    async (request, reply) =>
      answer(
        reply,
        await authorizations.authorize(callerOf(request), request.body, deadlineOf(request, reply)),
        body => `/v1/authorizations/${body.id}`,
      ),
  );

  app.get(
    '/authorizations',
    {
      schema: {
        operationId: 'listAuthorizations',
        summary: 'List authorizations, newest first',
        tags,
        querystring: Type.Object(
          {
            ...Paging,
            networkRef: Type.Optional(NetworkRef),
            cardId: Type.Optional(Type.String({ format: 'uuid' })),
            spendAccountId: Type.Optional(Type.String({ format: 'uuid' })),
          },
          { additionalProperties: false },
        ),
        response: { 200: ref(AuthorizationPage), ...problems('GET') },
      },
    },
    async request => authorizations.list(request.query),
  );

  app.get(
    '/authorizations/:id',
    {
      schema: {
        operationId: 'getAuthorization',
        summary: 'Read an authorization as it stands now',
        tags,
        params: Params,
        response: { 200: ref(Authorization), ...problems('GET', 'not-found') },
      },
    },
    async request => authorizations.get(request.params.id),
  );

  app.get(
    '/authorizations/:id/events',
    {
      schema: {
        operationId: 'listAuthorizationEvents',
        summary: 'Read what happened to it, oldest first',
        tags,
        params: Params,
        response: { 200: ref(AuthorizationEvents), ...problems('GET', 'not-found') },
      },
    },
    async request => ({ items: await authorizations.events(request.params.id) }),
  );

  app.post(
    '/authorizations/:id/increments',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'incrementAuthorization',
        summary: 'Authorize more on top',
        description:
          'Decided like an authorization, except that category, country, risk and the hourly count are not looked at again, and that the limit per transaction holds for what it would come to. A decline changes nothing of what is held.',
        tags,
        headers: DecisionHeaders,
        params: Params,
        body: NewIncrement,
        response: {
          201: ref(AuthorizationEvent),
          200: ref(AuthorizationEvent),
          ...problems('POST', 'not-found', 'authorization-not-open', 'currency-mismatch'),
        },
      },
    },
    async (request, reply) =>
      answer(
        reply,
        await authorizations.increment(callerOf(request), request.params.id, request.body, deadlineOf(request, reply)),
        eventAddress,
      ),
  );

  app.post(
    '/authorizations/:id/captures',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'captureAuthorization',
        summary: 'Take what was authorized, in one or several parts',
        description:
          'Up to what was authorized less what was reversed, plus the tolerance of the merchant category. A capture that comes after expiry or after a final one is posted all the same, within the same bound (FORCE_POSTED); `overdrawn` tells when the funds did not suffice.',
        tags,
        headers: IdempotentHeaders,
        params: Params,
        body: NewCapture,
        response: {
          201: ref(AuthorizationEvent),
          200: ref(AuthorizationEvent),
          ...problems(
            'POST',
            'not-found',
            'authorization-not-open',
            'capture-exceeds-authorization',
            'currency-mismatch',
          ),
        },
      },
    },
    async (request, reply) =>
      answer(reply, await authorizations.capture(callerOf(request), request.params.id, request.body), eventAddress),
  );

  app.post(
    '/authorizations/:id/reversals',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'reverseAuthorization',
        summary: 'Give back what is held, in full or in part',
        description: 'Only what is still held: what was captured is refunded in the ledger.',
        tags,
        headers: IdempotentHeaders,
        params: Params,
        body: NewReversal,
        response: {
          201: ref(AuthorizationEvent),
          200: ref(AuthorizationEvent),
          ...problems('POST', 'not-found', 'authorization-not-open', 'already-reversed', 'currency-mismatch'),
        },
      },
    },
    async (request, reply) =>
      answer(reply, await authorizations.reverse(callerOf(request), request.params.id, request.body), eventAddress),
  );

  app.post(
    // A colon in an address is written twice; the pattern keeps it out of the id.
    '/authorizations/:id([^:/]+)::expire',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'expireAuthorization',
        summary: 'Let go what is held, as the expiry job does',
        description: 'Internal: for operators and tests, not for the card network. It does not wait for `expiresAt`.',
        tags,
        headers: IdempotentHeaders,
        params: Params,
        body: NewExpiry,
        response: {
          201: ref(AuthorizationEvent),
          200: ref(AuthorizationEvent),
          ...problems('POST', 'not-found', 'authorization-not-open'),
        },
      },
    },
    async (request, reply) =>
      answer(reply, await authorizations.expire(callerOf(request), request.params.id, request.body), eventAddress),
  );

  app.post(
    '/reversals',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'reverseByNetworkRef',
        summary: "Reverse by the network's reference, even before the authorization has come",
        description:
          'For a network that gave up before it had our answer. Without such an authorization it is recorded, and the late authorization is DECLINED with 96; with `amount` it is 404 then, because a part of nothing means nothing.',
        tags,
        headers: IdempotentHeaders,
        body: NewNetworkReversal,
        response: {
          201: ref(NetworkReversal),
          200: ref(NetworkReversal),
          ...problems('POST', 'not-found', 'authorization-not-open', 'already-reversed', 'currency-mismatch'),
        },
      },
    },
    async (request, reply) =>
      answer(
        reply,
        await authorizations.reverseByNetworkRef(callerOf(request), request.body),
        body => `/v1/authorizations?networkRef=${encodeURIComponent(body.networkRef)}`,
      ),
  );
};
