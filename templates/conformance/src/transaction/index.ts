import type { Check } from '../checks';
import { faultChecks } from '../faults';
import { idempotencyChecks } from '../idempotency';
import {
  authenticationChecks,
  drainChecks,
  operationChecks,
} from '../operations';
import { replayChecks } from '../replays';
import { accountChecks } from './accounts';
import { auditChecks } from './audit';
import { batchChecks } from './batches';
import { captureChecks } from './captures';
import { concurrencyChecks } from './concurrency';
import { ledgerDecisions } from './decisions';
import { captured, eventChecks } from './events';
import { invariantChecks } from './invariants';
import { legs, openAccount, transfer } from './ledger';
import { hold, pendingChecks } from './pending';
import { propertyChecks } from './properties';

import { reversalChecks } from './reversals';
import { transactionChecks } from './transactions';

const SMALL = 80 * 1024;
const NOWHERE = '0199d5d0-0000-7000-8000-000000000000';

/** All checks of the transaction service, in the order in which they have to run. */
export const transactionSuite: Check[] = [
  ...operationChecks,
  ...accountChecks,
  ...transactionChecks,
  ...reversalChecks,
  ...pendingChecks,
  ...batchChecks,
  ...idempotencyChecks(ledgerDecisions),
  ...eventChecks,
  ...auditChecks,
  ...faultChecks(
    [
      {
        method: 'POST',
        url: async () => '/v1/accounts',
        body: { name: 'x', kind: 'asset', currency: 'USD' },
        tooLarge: SMALL,
      },
      {
        method: 'POST',
        url: async client => `/v1/accounts/${await openAccount(client)}/status`,
        body: { status: 'frozen', reason: 'x' },
        tooLarge: SMALL,
      },
      {
        method: 'POST',
        url: async () => '/v1/transactions',
        body: { legs: legs(NOWHERE, NOWHERE, '1') },
        tooLarge: SMALL,
      },
      {
        method: 'POST',
        url: async () => '/v1/transactions:batch',
        body: { items: [{ legs: legs(NOWHERE, NOWHERE, '1') }] },
        tooLarge: 1_200 * 1024,
      },
      {
        method: 'POST',
        url: async client => {
          const [a, b] = [await openAccount(client), await openAccount(client)];
          return `/v1/transactions/${
            (await transfer(client, a, b, '1')).id
          }/reversal`;
        },
        body: {},
        tooLarge: SMALL,
      },
      ...['post', 'void'].map(what => ({
        method: 'POST',
        url: async (client: any) => {
          const [a, b] = [await openAccount(client), await openAccount(client)];
          return `/v1/transactions/${
            (await hold(client, a, b, '1')).id
          }/${what}`;
        },
        body: {},
        tooLarge: SMALL,
      })),
      {
        method: 'POST',
        url: async () => '/v1/events',
        body: captured(NOWHERE, '1'),
        tooLarge: SMALL,
      },
    ],
    ['/v1/transactions'],
  ),
  ...authenticationChecks({
    url: '/v1/transactions',
    body: { legs: legs(NOWHERE, NOWHERE, '1') },
  }),
  ...concurrencyChecks,
  ...propertyChecks,
  ...captureChecks,
  ...replayChecks,
  ...invariantChecks,
];

export const transactionLast: Check[] = drainChecks;
