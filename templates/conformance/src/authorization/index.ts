import { randomUUID } from 'node:crypto';
import type { Check } from '../checks';
import type { Client } from '../client';
import { faultChecks } from '../faults';
import { idempotencyChecks } from '../idempotency';
import {
  authenticationChecks,
  drainChecks,
  operationChecks,
} from '../operations';
import { replayChecks } from '../replays';
import { concurrencyChecks } from './concurrency';
import { decisionChecks } from './decisions';
import { approved, newRef, newToken, payment, spender, url, usd } from './desk';
import { balanceChanged, eventChecks } from './events';
import { authorizationDecisions } from './idempotent';
import { invariantChecks } from './invariants';
import { lifecycleChecks } from './lifecycle';
import { propertyChecks } from './properties';
import { settingChecks } from './settings';

const SMALL = 80 * 1024;
const somebody = { token: newToken(), currency: 'USD' };

/** A POST or PUT below an authorization, a card or an account that exists. */
const below = (
  method: string,
  body: unknown,
  address: (client: Client) => Promise<string>,
  headers?: Record<string, string>,
) => ({ method, body, url: address, headers, tooLarge: SMALL });

const ifMatch = { 'if-match': '*' };

/** All checks of the authorization service, in the order in which they have to run. */
export const authorizationSuite: Check[] = [
  ...operationChecks,
  ...decisionChecks,
  ...lifecycleChecks,
  ...settingChecks,
  ...eventChecks,
  ...idempotencyChecks(authorizationDecisions),
  ...faultChecks(
    [
      below('POST', payment(somebody, '1'), async () => '/v1/authorizations'),
      ...['increments', 'captures', 'reversals', 'expire'].map(what =>
        below(
          'POST',
          what === 'expire' ? {} : { amount: usd('1') },
          async client =>
            url((await approved(client, await spender(client), '1')).id, what),
        ),
      ),
      below('POST', { networkRef: newRef() }, async () => '/v1/reversals'),
      below('POST', { currency: 'USD' }, async () => '/v1/spend-accounts'),
      below('POST', { token: newToken() }, async () => '/v1/cards'),
      below(
        'POST',
        { status: 'frozen', reason: 'x' },
        async client => `/v1/cards/${(await spender(client)).card}/status`,
      ),
      below(
        'PUT',
        {},
        async client => `/v1/cards/${(await spender(client)).card}/limits`,
        ifMatch,
      ),
      below(
        'PUT',
        { creditLimit: '1' },
        async client =>
          `/v1/spend-accounts/${(await spender(client)).account}/credit-limit`,
        ifMatch,
      ),
      below(
        'PUT',
        { body: {} },
        async () => `/v1/rule-sets/faults-${randomUUID()}`,
        {
          'if-none-match': '*',
        },
      ),
      below(
        'POST',
        balanceChanged(randomUUID(), '1', 1),
        async () => '/v1/events',
      ),
    ],
    ['/v1/authorizations'],
  ),
  ...authenticationChecks({
    url: '/v1/authorizations',
    body: payment(somebody, '1'),
  }),
  ...concurrencyChecks,
  ...propertyChecks,
  ...replayChecks,
  ...invariantChecks,
];

export const authorizationLast: Check[] = drainChecks;
