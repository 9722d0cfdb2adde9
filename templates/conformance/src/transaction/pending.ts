import { group } from '../checks';
import { equal, eventually, includes, must } from '../expect';
import {
  accountAddsUp,
  balance,
  balanceIs,
  entries,
  legs,
  openAccount,
  transfer,
  wallet,
} from './ledger';
import type { Client } from '../client';

const NOWHERE = '0199d5d0-0000-7000-8000-000000000000';
const usd = (value: string) => ({ value, currency: 'USD' });
const inDays = (days: number) =>
  new Date(Date.now() + days * 86_400_000).toISOString();

/** Holds `value` on `from` in favour of `to`. */
export function hold(
  client: Client,
  from: string,
  to: string,
  value: string,
  expiresAt = inDays(7),
): Promise<any> {
  return client.expect(201, 'POST', '/v1/transactions', {
    body: { legs: legs(from, to, value), pending: { expiresAt } },
  });
}

async function resolution(client: Client, id: string): Promise<any> {
  return (await client.expect(200, 'GET', `/v1/transactions/${id}`)).resolution;
}

export const pendingChecks = group('pending transactions', {
  'hold money without moving it': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 100n);
    const before = await client.get(`/v1/accounts/${owner}/balance`);
    const expiresAt = inDays(7);
    const held = await hold(client, owner, cash, '70', expiresAt);
    includes(held, { kind: 'pending', resolves: null }, 'the transaction');
    equal(Date.parse(held.expiresAt), Date.parse(expiresAt), 'expiresAt');
    must(
      held.legs.every(
        (leg: any) => leg.balanceAfter === null && leg.accountVersion === null,
      ),
      'a leg of a pending transaction has a balance',
    );
    await balanceIs(client, owner, {
      posted: '100',
      pending: '70',
      available: '30',
    });
    const after = await client.get(`/v1/accounts/${owner}/balance`);
    must(
      before.headers.get('etag') !== after.headers.get('etag'),
      'the ETag stayed the same when money was held',
    );
    equal(after.body.version, before.body.version, 'the number of entries');
    equal((await entries(client, owner)).length, 1, 'the number of entries');
    // Money leaves the other side too: less cash, less owed.
    await balanceIs(client, cash, {
      posted: '100',
      pending: '70',
      available: '30',
    });
    // What is on its way in cannot be spent yet.
    await hold(client, cash, owner, '500');
    await balanceIs(client, owner, {
      posted: '100',
      pending: '70',
      available: '30',
    });
    equal(
      await resolution(client, held.id),
      { state: 'pending', transaction: null },
      'what became of it',
    );
    await client.refuse('insufficient-funds', 'POST', '/v1/transactions', {
      body: { legs: legs(owner, cash, '31') },
    });
    await client.refuse('insufficient-funds', 'POST', '/v1/transactions', {
      body: { legs: legs(owner, cash, '31'), pending: { expiresAt } },
    });
    await transfer(client, owner, cash, '30');
    await balanceIs(client, owner, { posted: '70', available: '0' });
    await client.refuse(
      'not-reversible',
      'POST',
      `/v1/transactions/${held.id}/reversal`,
      { body: {} },
    );
  },

  'are posted in full, once': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 100n);
    const held = await hold(client, owner, cash, '70');
    const url = `/v1/transactions/${held.id}`;
    const posted = await client.expect(201, 'POST', `${url}/post`, {
      body: { externalRef: 'settled', metadata: { file: '1' } },
    });
    includes(
      posted,
      { kind: 'post', resolves: held.id, externalRef: 'settled' },
      'the transaction',
    );
    equal(
      posted.legs.map((leg: any) => [
        leg.direction,
        leg.amount.value,
        leg.balanceAfter,
      ]),
      [
        ['debit', '70', '30'],
        ['credit', '70', '30'],
      ],
      'its legs',
    );
    await balanceIs(client, owner, {
      posted: '30',
      pending: '0',
      available: '30',
    });
    equal(
      await resolution(client, held.id),
      { state: 'posted', transaction: posted.id },
      'what became of it',
    );
    await client.refuse('already-resolved', 'POST', `${url}/post`, {
      body: {},
    });
    await client.refuse('already-resolved', 'POST', `${url}/void`, {
      body: {},
    });
    // What was posted can be reversed like any other.
    await client.expect(201, 'POST', `/v1/transactions/${posted.id}/reversal`, {
      body: {},
    });
    await balanceIs(client, owner, { posted: '100' });
    await accountAddsUp(client, owner);
  },

  'are posted in part, and the rest is released': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 100n);
    const held = await hold(client, owner, cash, '70');
    const url = `/v1/transactions/${held.id}/post`;
    for (const body of [
      { amount: usd('0') },
      { amount: usd('1'), legs: [] },
      { legs: [{ line: 1, amount: usd('1') }] },
      { legs: [1, 2].map(line => ({ line, amount: usd(String(line)) })) },
    ])
      await client.refuse('validation-failed', 'POST', url, { body });
    await client.refuse('currency-mismatch', 'POST', url, {
      body: { amount: { value: '1', currency: 'EUR' } },
    });
    await client.refuse('pending-exceeded', 'POST', url, {
      body: { amount: usd('71') },
    });
    await client.expect(201, 'POST', url, { body: { amount: usd('45') } });
    await balanceIs(client, owner, {
      posted: '55',
      pending: '0',
      available: '55',
    });
    await client.refuse('already-resolved', 'POST', url, {
      body: { amount: usd('25') },
    });
    const lines = await hold(client, owner, cash, '50');
    await client.expect(201, 'POST', `/v1/transactions/${lines.id}/post`, {
      body: { legs: [1, 2].map(line => ({ line, amount: usd('5') })) },
    });
    await balanceIs(client, owner, { posted: '50', available: '50' });
  },

  'are voided, once': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 100n);
    const held = await hold(client, owner, cash, '70');
    const url = `/v1/transactions/${held.id}`;
    await client.refuse(
      'account-not-empty',
      'POST',
      `/v1/accounts/${owner}/status`,
      {
        body: { status: 'closed', reason: 'x' },
      },
    );
    // Nothing moves, so a frozen account is no obstacle to giving back.
    const status = (to: string) =>
      client.expect(201, 'POST', `/v1/accounts/${owner}/status`, {
        body: { status: to, reason: 'x' },
      });
    await status('frozen');
    await client.refuse('account-frozen', 'POST', `${url}/post`, { body: {} });
    await client.refuse('validation-failed', 'POST', `${url}/void`, {
      body: { amount: usd('1') },
    });
    const voided = await client.expect(201, 'POST', `${url}/void`, {
      body: {},
    });
    await status('open');
    includes(voided, { kind: 'void', resolves: held.id }, 'the transaction');
    await balanceIs(client, owner, {
      posted: '100',
      pending: '0',
      available: '100',
    });
    equal(
      await resolution(client, held.id),
      { state: 'voided', transaction: voided.id },
      'what became of it',
    );
    await client.refuse('already-resolved', 'POST', `${url}/void`, {
      body: {},
    });
    await client.refuse('already-resolved', 'POST', `${url}/post`, {
      body: {},
    });
    await client.refuse(
      'not-reversible',
      'POST',
      `/v1/transactions/${voided.id}/reversal`,
      {
        body: {},
      },
    );
    equal((await entries(client, owner)).length, 1, 'the number of entries');
  },

  'are told from those that are not': async ({ client }) => {
    const [a, b] = [await openAccount(client), await openAccount(client)];
    const posted = await transfer(client, a, b, '1');
    for (const what of ['post', 'void']) {
      await client.refuse(
        'not-pending',
        'POST',
        `/v1/transactions/${posted.id}/${what}`,
        {
          body: {},
        },
      );
      await client.refuse(
        'not-found',
        'POST',
        `/v1/transactions/${NOWHERE}/${what}`,
        {
          body: {},
        },
      );
      await client.refuse(
        'validation-failed',
        'POST',
        `/v1/transactions/x/${what}`,
        {
          body: {},
        },
      );
    }
  },

  'expire and release what they hold': {
    timeout: 120_000,
    run: async ({ client, settings }) => {
      const { cash, wallet: owner } = await wallet(client, 100n);
      const soon = new Date(Date.now() + 1_500).toISOString();
      const held = await hold(client, owner, cash, '70', soon);
      await balanceIs(client, owner, { available: '30' });
      await eventually(
        'the release of an expired hold',
        async () =>
          (await balance(client, owner)).available === '100' ? true : undefined,
        { timeout: settings.patience },
      );
      const { state } = await resolution(client, held.id);
      equal(state, 'expired', 'what became of it');
      for (const what of ['post', 'void'])
        await client.refuse(
          'pending-expired',
          'POST',
          `/v1/transactions/${held.id}/${what}`,
          {
            body: {},
          },
        );
      await balanceIs(client, owner, { posted: '100', pending: '0' });
      for (const expiresAt of [
        new Date(Date.now() - 60_000).toISOString(),
        inDays(400),
        'soon',
        null,
      ])
        await client.refuse('validation-failed', 'POST', '/v1/transactions', {
          body: { legs: legs(owner, cash, '1'), pending: { expiresAt } },
        });
      await client.refuse('validation-failed', 'POST', '/v1/transactions', {
        body: { legs: legs(owner, cash, '1'), pending: {} },
      });
    },
  },

  'are settled by one of many that ask at once': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 1_000n);
    for (let round = 0; round < 5; round++) {
      const held = await hold(client, owner, cash, '10');
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          client.post(
            `/v1/transactions/${held.id}/${i % 2 === 0 ? 'post' : 'void'}`,
            {},
          ),
        ),
      );
      equal(
        answers.filter(answer => answer.status === 201).length,
        1,
        'the number of settlements of one pending transaction',
      );
      must(
        answers.every(
          answer =>
            answer.status === 201 || answer.body.code === 'already-resolved',
        ),
        'a refusal has another reason',
      );
    }
    const now = await balance(client, owner);
    equal(now.pending, '0', 'what is still held');
    equal(now.available, now.posted, 'available');
    await accountAddsUp(client, owner);
  },
});
