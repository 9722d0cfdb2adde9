import { group } from '../checks';
import { equal, includes, must } from '../expect';
import {
  accountAddsUp,
  balanceIs,
  legs,
  openAccount,
  transfer,
  wallet,
} from './ledger';

const NOWHERE = '0199d5d0-0000-7000-8000-000000000000';
const usd = (value: string) => ({ value, currency: 'USD' });

export const reversalChecks = group('reversals', {
  'takes a transaction back in full, once': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 0n);
    const posted = await transfer(client, cash, owner, '500');
    const url = `/v1/transactions/${posted.id}/reversal`;
    const reversal = await client.expect(201, 'POST', url, {
      body: { externalRef: 'refund', metadata: { why: 'returned' } },
    });
    includes(
      reversal,
      { kind: 'reversal', reverses: posted.id, externalRef: 'refund' },
      'the reversal',
    );
    equal(
      reversal.legs.map((leg: any) => [
        leg.accountId,
        leg.direction,
        leg.amount.value,
        leg.reversesLine,
      ]),
      [
        [cash, 'credit', '500', 1],
        [owner, 'debit', '500', 2],
      ],
      'its legs',
    );
    await balanceIs(client, owner, { posted: '0' });
    const detail = await client.expect(
      200,
      'GET',
      `/v1/transactions/${posted.id}`,
    );
    includes(
      detail.reversal,
      { state: 'full', transactions: [reversal.id] },
      'what became of it',
    );
    must(
      detail.reversal.remaining.every((line: any) => line.amount === '0'),
      'something remains after a full reversal',
    );
    await client.refuse('already-reversed', 'POST', url, { body: {} });
    await client.refuse('already-reversed', 'POST', url, {
      body: { amount: usd('1') },
    });
    await client.refuse(
      'not-reversible',
      'POST',
      `/v1/transactions/${reversal.id}/reversal`,
      { body: {} },
    );
    await balanceIs(client, owner, { posted: '0' });
  },

  'takes it back in parts, up to the original and not beyond': async ({
    client,
  }) => {
    const { cash, wallet: owner } = await wallet(client, 0n);
    const posted = await transfer(client, cash, owner, '100');
    const url = `/v1/transactions/${posted.id}/reversal`;
    const part = (value: string) => ({ body: { amount: usd(value) } });
    await client.refuse('already-reversed', 'POST', url, part('101'));
    await client.expect(201, 'POST', url, part('30'));
    await client.expect(201, 'POST', url, part('69'));
    await client.refuse('already-reversed', 'POST', url, part('2'));
    const detail = await client.expect(
      200,
      'GET',
      `/v1/transactions/${posted.id}`,
    );
    equal(detail.reversal.state, 'partial', 'the state');
    equal(
      detail.reversal.remaining,
      [
        { line: 1, amount: '1' },
        { line: 2, amount: '1' },
      ],
      'what remains',
    );
    await client.expect(201, 'POST', url, part('1'));
    await client.refuse('already-reversed', 'POST', url, part('1'));
    await balanceIs(client, owner, { posted: '0' });
    await accountAddsUp(client, owner);
  },

  'takes back single lines of many': async ({ client }) => {
    const [a, b, c] = await Promise.all([
      openAccount(client),
      openAccount(client),
      openAccount(client),
    ]);
    const posted = await client.expect(201, 'POST', '/v1/transactions', {
      body: {
        legs: [
          { accountId: a, direction: 'debit', amount: usd('100') },
          { accountId: b, direction: 'credit', amount: usd('70') },
          { accountId: c, direction: 'credit', amount: usd('30') },
        ],
      },
    });
    const url = `/v1/transactions/${posted.id}/reversal`;
    const lines = (...parts: [number, string][]) => ({
      body: {
        legs: parts.map(([line, value]) => ({ line, amount: usd(value) })),
      },
    });
    for (const body of [
      { amount: usd('10') },
      { amount: usd('10'), legs: lines([1, '1'], [2, '1']).body.legs },
      lines([1, '10'], [2, '9']).body,
      lines([1, '10'], [4, '10']).body,
      lines([1, '10'], [1, '10']).body,
      { legs: [] },
    ])
      await client.refuse('validation-failed', 'POST', url, { body });
    await client.refuse(
      'already-reversed',
      'POST',
      url,
      lines([1, '31'], [3, '31']),
    );
    await client.expect(201, 'POST', url, lines([1, '30'], [3, '30']));
    await client.refuse(
      'already-reversed',
      'POST',
      url,
      lines([1, '1'], [3, '1']),
    );
    await balanceIs(client, c, { posted: '0' });
    // The rest is exactly the other line.
    await client.expect(201, 'POST', url, { body: {} });
    await balanceIs(client, a, { posted: '0' });
    await balanceIs(client, b, { posted: '0' });
  },

  'refuses what cannot be taken back': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 0n);
    const posted = await transfer(client, cash, owner, '100');
    const url = `/v1/transactions/${posted.id}/reversal`;
    await client.refuse(
      'not-found',
      'POST',
      `/v1/transactions/${NOWHERE}/reversal`,
      {
        body: {},
      },
    );
    await client.refuse(
      'validation-failed',
      'POST',
      '/v1/transactions/x/reversal',
      {
        body: {},
      },
    );
    await client.refuse('currency-mismatch', 'POST', url, {
      body: { amount: { value: '1', currency: 'EUR' } },
    });
    for (const value of ['0', '-1', '1.5'])
      await client.refuse('validation-failed', 'POST', url, {
        body: { amount: usd(value) },
      });
    await transfer(client, owner, cash, '60');
    await client.refuse('insufficient-funds', 'POST', url, { body: {} });
    await client.expect(201, 'POST', `/v1/accounts/${owner}/status`, {
      body: { status: 'frozen', reason: 'x' },
    });
    await client.refuse('account-frozen', 'POST', url, {
      body: { amount: usd('1') },
    });
    await balanceIs(client, owner, { posted: '40' });
  },

  'never takes back more when many ask at once': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 1_000n);
    const posted = await transfer(client, cash, owner, '100');
    const answers = await Promise.all(
      Array.from({ length: 30 }, () =>
        client.post(`/v1/transactions/${posted.id}/reversal`, {
          amount: usd('7'),
        }),
      ),
    );
    const done = answers.filter(answer => answer.status === 201).length;
    equal(done, 14, 'the number of reversals of 7 out of 100');
    must(
      answers.every(
        answer =>
          answer.status === 201 || answer.body.code === 'already-reversed',
      ),
      'a refusal has another reason',
    );
    await balanceIs(client, owner, { posted: '1002' });
    await accountAddsUp(client, owner);
  },

  'takes an exchange back in both currencies': async ({ client }) => {
    const [usdAccount, eur, usdPool, eurPool] = await Promise.all([
      openAccount(client),
      openAccount(client, { currency: 'EUR' }),
      openAccount(client, { kind: 'asset' }),
      openAccount(client, { kind: 'asset', currency: 'EUR' }),
    ]);
    const posted = await client.expect(201, 'POST', '/v1/transactions', {
      body: {
        legs: [
          ...legs(usdAccount, usdPool, '1100'),
          ...legs(eurPool, eur, '1000', 'EUR'),
        ],
      },
    });
    await client.expect(201, 'POST', `/v1/transactions/${posted.id}/reversal`, {
      body: {},
    });
    for (const account of [usdAccount, eur, usdPool, eurPool])
      await balanceIs(client, account, { posted: '0' });
  },
});
