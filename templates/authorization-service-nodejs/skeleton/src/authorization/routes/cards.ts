import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { answer, callerOf, requireIdempotencyKey } from '../../platform/http/idempotency.ts';
import { IdempotentHeaders, problems } from '../../platform/http/openapi.ts';
import {
  ConditionalHeaders,
  CreateOrReplaceHeaders,
  preconditionOf,
  requirePrecondition,
  withEtag,
} from '../preconditions.ts';
import { Id, ref } from '../../platform/http/schemas.ts';
import type { Cards } from '../cards.ts';
import type { RuleSets } from '../rule-sets.ts';
import {
  Card,
  CardLimits,
  NewCard,
  NewCardStatus,
  NewCreditLimit,
  NewRuleSet,
  NewSpendAccount,
  RuleSet,
  RuleSetId,
  ShadowReport,
  SpendAccount,
} from '../setting-schemas.ts';

const Params = Type.Object({ id: Id });
const PRECONDITION = ['precondition-failed', 'precondition-required'] as const;
const RuleSetParams = Type.Object({ id: RuleSetId });

export const cardRoutes: FastifyPluginAsyncTypebox<{ cards: Cards; ruleSets: RuleSets }> = async (
  app,
  { cards, ruleSets },
) => {
  app.post(
    '/spend-accounts',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'openSpendAccount',
        summary: 'Open a spend account',
        tags: ['spend accounts'],
        headers: IdempotentHeaders,
        body: NewSpendAccount,
        response: { 201: ref(SpendAccount), 200: ref(SpendAccount), ...problems('POST', 'already-exists') },
      },
    },
    async (request, reply) =>
      answer(
        reply,
        await cards.openSpendAccount(callerOf(request), request.body),
        body => `/v1/spend-accounts/${body.id}`,
      ),
  );

  app.get(
    '/spend-accounts/:id',
    {
      schema: {
        operationId: 'getSpendAccount',
        summary: 'Read what may be spent',
        tags: ['spend accounts'],
        params: Params,
        response: { 200: ref(SpendAccount), ...problems('GET', 'not-found') },
      },
    },
    async (request, reply) => withEtag(reply, await cards.spendAccount(request.params.id)),
  );

  app.put(
    '/spend-accounts/:id/credit-limit',
    {
      onRequest: requirePrecondition,
      schema: {
        operationId: 'setCreditLimit',
        summary: 'Change the credit limit',
        description: 'Below what is in use it stops new approvals; nothing that is held is touched.',
        tags: ['spend accounts'],
        headers: ConditionalHeaders,
        params: Params,
        body: NewCreditLimit,
        response: { 200: ref(SpendAccount), ...problems('PUT', ...PRECONDITION, 'not-found') },
      },
    },
    async (request, reply) =>
      withEtag(
        reply,
        await cards.setCreditLimit(
          callerOf(request).clientId,
          request.params.id,
          preconditionOf(request),
          request.body.creditLimit,
        ),
      ),
  );

  app.post(
    '/cards',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'addCard',
        summary: 'Add a card by its token',
        tags: ['cards'],
        headers: IdempotentHeaders,
        body: NewCard,
        response: {
          201: ref(Card),
          200: ref(Card),
          ...problems('POST', 'already-exists', 'account-unknown', 'rule-set-unknown', 'currency-mismatch'),
        },
      },
    },
    async (request, reply) =>
      answer(reply, await cards.addCard(callerOf(request), request.body), body => `/v1/cards/${body.id}`),
  );

  app.get(
    '/cards/:id',
    {
      schema: {
        operationId: 'getCard',
        summary: 'Read a card',
        tags: ['cards'],
        params: Params,
        response: { 200: ref(Card), ...problems('GET', 'not-found') },
      },
    },
    async (request, reply) => withEtag(reply, await cards.card(request.params.id)),
  );

  app.post(
    '/cards/:id/status',
    {
      onRequest: requireIdempotencyKey,
      schema: {
        operationId: 'setCardStatus',
        summary: 'Freeze, unfreeze or close a card',
        description: 'Closed is final. What is held already stays held and may be captured.',
        tags: ['cards'],
        headers: IdempotentHeaders,
        params: Params,
        body: NewCardStatus,
        response: { 201: ref(Card), 200: ref(Card), ...problems('POST', 'not-found', 'card-closed') },
      },
    },
    async (request, reply) =>
      answer(
        reply,
        await cards.setCardStatus(callerOf(request), request.params.id, request.body),
        body => `/v1/cards/${body.id}`,
      ),
  );

  app.put(
    '/cards/:id/limits',
    {
      onRequest: requirePrecondition,
      schema: {
        operationId: 'setCardLimits',
        summary: 'Replace the limits of a card',
        tags: ['cards'],
        headers: ConditionalHeaders,
        params: Params,
        body: CardLimits,
        response: { 200: ref(Card), ...problems('PUT', ...PRECONDITION, 'not-found', 'card-closed') },
      },
    },
    async (request, reply) =>
      withEtag(
        reply,
        await cards.setCardLimits(callerOf(request).clientId, request.params.id, preconditionOf(request), request.body),
      ),
  );

  app.put(
    '/rule-sets/:id',
    {
      onRequest: requirePrecondition,
      schema: {
        operationId: 'putRuleSet',
        summary: 'Write the next version of a rule set, or its first',
        description:
          'If-Match with the latest ETag writes the next version. If-None-Match: * writes the first one. Earlier versions stay readable.',
        tags: ['rule sets'],
        headers: CreateOrReplaceHeaders,
        params: RuleSetParams,
        body: NewRuleSet,
        response: { 200: ref(RuleSet), ...problems('PUT', ...PRECONDITION) },
      },
    },
    async (request, reply) =>
      withEtag(
        reply,
        await ruleSets.put(callerOf(request).clientId, request.params.id, preconditionOf(request), request.body),
      ),
  );

  app.get(
    '/rule-sets/:id',
    {
      schema: {
        operationId: 'getRuleSet',
        summary: 'Read the latest version of a rule set',
        tags: ['rule sets'],
        params: RuleSetParams,
        response: { 200: ref(RuleSet), ...problems('GET', 'not-found') },
      },
    },
    async (request, reply) => withEtag(reply, await ruleSets.get(request.params.id)),
  );

  app.get(
    '/rule-sets/:id/versions/:version',
    {
      schema: {
        operationId: 'getRuleSetVersion',
        summary: 'Read an earlier version',
        tags: ['rule sets'],
        params: Type.Object({ id: RuleSetId, version: Type.Integer({ minimum: 1, maximum: 2_000_000_000 }) }),
        response: { 200: ref(RuleSet), ...problems('GET', 'not-found') },
      },
    },
    async request => ruleSets.get(request.params.id, request.params.version),
  );

  app.get(
    '/rule-sets/:id/shadow',
    {
      schema: {
        operationId: 'getShadowReport',
        summary: 'Compare the candidate version with what was decided',
        tags: ['rule sets'],
        params: RuleSetParams,
        response: { 200: ref(ShadowReport), ...problems('GET', 'not-found') },
      },
    },
    async request => ruleSets.shadowReport(request.params.id),
  );
};
