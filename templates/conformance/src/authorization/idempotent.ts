import type { Client } from '../client';
import type { Decision } from '../idempotency';
import { all } from '../transaction/ledger';
import { approved, newRef, newToken, payment, spender, url, usd } from './desk';

/** How many events of this kind an authorization has. */
const events = (client: Client, id: string, kind: string) => async () =>
  (
    await client.expect(200, 'GET', `/v1/authorizations/${id}/events`)
  ).items.filter((event: any) => event.kind === kind).length;

function onAuthorization(
  operation: string,
  what: string,
  kind: string,
  body: Record<string, unknown>,
  other: Record<string, unknown>,
): Decision {
  return {
    operation,
    prepare: async client => {
      const who = await spender(client);
      const { id } = await approved(client, who, '1000');
      return {
        url: url(id, what),
        body,
        other,
        effects: events(client, id, kind),
      };
    },
  };
}

/** Every operation of the authorization service that needs an Idempotency-Key. */
export const authorizationDecisions: Decision[] = [
  {
    operation: 'authorize',
    prepare: async client => {
      const who = await spender(client);
      const body = payment(who, '10');
      return {
        url: '/v1/authorizations',
        body,
        other: payment(who, '11'),
        effects: async () =>
          (
            await all(
              client,
              `/v1/authorizations?networkRef=${body.networkRef}`,
            )
          ).length,
      };
    },
  },
  onAuthorization(
    'incrementAuthorization',
    'increments',
    'INCREMENTED',
    { amount: usd('5') },
    { amount: usd('6') },
  ),
  onAuthorization(
    'captureAuthorization',
    'captures',
    'CAPTURED',
    { amount: usd('5'), final: false },
    { amount: usd('6') },
  ),
  onAuthorization(
    'reverseAuthorization',
    'reversals',
    'REVERSED',
    { amount: usd('5') },
    { amount: usd('6') },
  ),
  onAuthorization(
    'expireAuthorization',
    'expire',
    'EXPIRED',
    { reference: 'a' },
    { reference: 'b' },
  ),
  {
    operation: 'reverseByNetworkRef',
    prepare: async client => {
      const who = await spender(client);
      const made = await approved(client, who, '1000');
      return {
        url: '/v1/reversals',
        body: { networkRef: made.networkRef, amount: usd('5') },
        other: { networkRef: made.networkRef, amount: usd('6') },
        effects: events(client, made.id, 'REVERSED'),
      };
    },
  },
  {
    operation: 'openSpendAccount',
    prepare: async () => ({
      url: '/v1/spend-accounts',
      body: { currency: 'USD', creditLimit: '10' },
      other: { currency: 'USD', creditLimit: '11' },
      // Accounts cannot be listed. A second one would have another id, and the bodies of repetitions are compared.
      effects: undefined,
    }),
  },
  {
    operation: 'addCard',
    prepare: async client => {
      const { account } = await spender(client);
      const body = {
        token: newToken(),
        spendAccountId: account,
        expiresOn: '2099-12-31',
      };
      return {
        url: '/v1/cards',
        body,
        other: { ...body, token: newToken() },
        effects: undefined,
      };
    },
  },
  {
    operation: 'setCardStatus',
    prepare: async client => {
      const { card } = await spender(client);
      return {
        url: `/v1/cards/${card}/status`,
        body: { status: 'frozen', reason: 'x' },
        other: { status: 'frozen', reason: newRef() },
        effects: async () =>
          (await client.expect(200, 'GET', `/v1/cards/${card}`)).status ===
          'frozen'
            ? 1
            : 0,
      };
    },
  },
];
