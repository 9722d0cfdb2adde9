import type { Decision } from '../idempotency';
import { all, balance, legs, openAccount, transfer, wallet } from './ledger';
import { hold } from './pending';
import { randomUUID } from 'node:crypto';

const usd = (value: string) => ({ value, currency: 'USD' });

/** Every operation of the ledger that needs an Idempotency-Key. */
export const ledgerDecisions: Decision[] = [
  {
    operation: 'openAccount',
    prepare: async () => {
      const body = { name: randomUUID(), kind: 'asset', currency: 'USD' };
      return {
        url: '/v1/accounts',
        body,
        other: { ...body, currency: 'EUR' },
        // Accounts cannot be listed. A second one would have another id, and the bodies of repetitions are compared.
        effects: undefined,
      };
    },
  },
  {
    operation: 'setAccountStatus',
    prepare: async client => {
      const account = await openAccount(client);
      return {
        url: `/v1/accounts/${account}/status`,
        body: { status: 'frozen', reason: 'x' },
        other: { status: 'frozen', reason: 'y' },
        effects: async () => {
          const read = await client.expect(
            200,
            'GET',
            `/v1/accounts/${account}`,
          );
          return read.status === 'frozen' ? 1 : 0;
        },
      };
    },
    refused: async client => {
      const { cash, wallet: owner } = await wallet(client, 5n);
      return {
        url: `/v1/accounts/${owner}/status`,
        body: { status: 'closed', reason: 'x' },
        code: 'account-not-empty',
        cure: async () => {
          await transfer(client, owner, cash, '5');
        },
      };
    },
  },
  {
    operation: 'postTransaction',
    prepare: async client => {
      const [a, b] = [await openAccount(client), await openAccount(client)];
      const body = {
        legs: legs(a, b, '5'),
        externalRef: `once-${a}`,
        metadata: { one: '1', two: '2' },
      };
      return {
        url: '/v1/transactions',
        body,
        other: { ...body, legs: legs(a, b, '6') },
        effects: async () =>
          (await all(client, `/v1/transactions?externalRef=once-${a}`)).length,
      };
    },
    refused: async client => {
      const { cash, wallet: owner } = await wallet(client, 0n);
      return {
        url: '/v1/transactions',
        body: { legs: legs(owner, cash, '5') },
        code: 'insufficient-funds',
        cure: async () => {
          await transfer(client, cash, owner, '50');
        },
      };
    },
  },
  {
    operation: 'postTransactions',
    status: 200,
    prepare: async client => {
      const [a, b] = [await openAccount(client), await openAccount(client)];
      const item = { legs: legs(a, b, '5'), externalRef: `once-${a}` };
      return {
        url: '/v1/transactions:batch',
        body: { items: [item] },
        other: { items: [item, item] },
        effects: async () =>
          (await all(client, `/v1/transactions?externalRef=once-${a}`)).length,
      };
    },
  },
  {
    operation: 'reverseTransaction',
    prepare: async client => {
      const [a, b] = [await openAccount(client), await openAccount(client)];
      const posted = await transfer(client, a, b, '10');
      return {
        url: `/v1/transactions/${posted.id}/reversal`,
        body: { amount: usd('4') },
        other: { amount: usd('5') },
        effects: async () =>
          (await client.expect(200, 'GET', `/v1/transactions/${posted.id}`))
            .reversal.transactions.length,
      };
    },
    refused: async client => {
      const { cash, wallet: owner } = await wallet(client, 0n);
      const posted = await transfer(client, cash, owner, '10');
      await transfer(client, owner, cash, '10');
      return {
        url: `/v1/transactions/${posted.id}/reversal`,
        body: {},
        code: 'insufficient-funds',
        cure: async () => {
          await transfer(client, cash, owner, '10');
        },
      };
    },
  },
  ...(['post', 'void'] as const).map(
    (what): Decision => ({
      operation: what === 'post' ? 'postPending' : 'voidPending',
      prepare: async client => {
        const { cash, wallet: owner } = await wallet(client, 10n);
        const held = await hold(client, owner, cash, '10');
        return {
          url: `/v1/transactions/${held.id}/${what}`,
          body: { externalRef: 'settled' },
          other: { externalRef: 'other' },
          effects: async () => {
            const now = await balance(client, owner);
            return now.pending === '0' ? 1 : 0;
          },
        };
      },
    }),
  ),
];
