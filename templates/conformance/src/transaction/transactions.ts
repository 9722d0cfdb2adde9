import { group } from '../checks';
import { equal, includes, must } from '../expect';
import {
  accountAddsUp,
  all,
  balanceIs,
  legs,
  openAccount,
  transfer,
  wallet,
  type Leg,
} from './ledger';

const NOWHERE = '0199d5d0-0000-7000-8000-000000000000';
/** The largest amount of one leg: 18 digits. */
const LARGEST = '9'.repeat(18);

export const transactionChecks = group('transactions', {
  'posts two legs and shows the transaction': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 0n);
    const answer = await client.post('/v1/transactions', {
      legs: legs(cash, owner, '1050'),
      externalRef: 'order-1',
      effectiveAt: '2026-03-01T10:00:00+01:00',
      metadata: { channel: 'web' },
    });
    equal(answer.status, 201, 'the status');
    includes(
      answer.body,
      {
        kind: 'posting',
        externalRef: 'order-1',
        reverses: null,
        resolves: null,
        expiresAt: null,
        metadata: { channel: 'web' },
      },
      'the transaction',
    );
    equal(
      Date.parse(answer.body.effectiveAt),
      Date.parse('2026-03-01T09:00:00Z'),
      'effectiveAt',
    );
    equal(
      answer.body.legs.map((leg: any) => [
        leg.line,
        leg.accountId,
        leg.direction,
        leg.amount,
        leg.balanceAfter,
        leg.accountVersion,
      ]),
      [
        [1, cash, 'debit', { value: '1050', currency: 'USD' }, '1050', 1],
        [2, owner, 'credit', { value: '1050', currency: 'USD' }, '1050', 1],
      ],
      'the legs',
    );
    const { reversal, resolution, ...document } = await client.expect(
      200,
      'GET',
      answer.headers.get('location')!,
    );
    equal(document, answer.body, 'the transaction as it is read');
    equal(resolution, null, 'resolution');
    equal(
      reversal,
      {
        state: 'none',
        transactions: [],
        remaining: [
          { line: 1, amount: '1050' },
          { line: 2, amount: '1050' },
        ],
      },
      'reversal',
    );
    await balanceIs(client, owner, { posted: '1050', available: '1050' });
  },

  'posts many legs and several legs of one account': async ({ client }) => {
    const accounts = await Promise.all(
      Array.from({ length: 4 }, () => openAccount(client)),
    );
    const leg = (i: number, direction: Leg['direction'], value: string) => ({
      accountId: accounts[i],
      direction,
      amount: { value, currency: 'USD' },
    });
    await client.expect(201, 'POST', '/v1/transactions', {
      body: {
        kind: 'posting',
        legs: [
          leg(0, 'debit', '100'),
          leg(1, 'credit', '60'),
          leg(2, 'credit', '30'),
          leg(1, 'credit', '5'),
          leg(3, 'credit', '5'),
        ],
      },
    });
    await balanceIs(client, accounts[0], { posted: '-100' });
    await balanceIs(client, accounts[1], { posted: '65' });
    // Nothing moves when both legs are of one account, but it is written.
    await transfer(client, accounts[1], accounts[1], '7');
    await balanceIs(client, accounts[1], { posted: '65' });
    for (const account of accounts) await accountAddsUp(client, account);
    const hundred = Array.from({ length: 100 }, (_, i) =>
      leg(i % 2, i % 2 === 0 ? 'debit' : 'credit', '1'),
    );
    await client.expect(201, 'POST', '/v1/transactions', {
      body: { legs: hundred },
    });
    await client.refuse('validation-failed', 'POST', '/v1/transactions', {
      body: { legs: [...hundred, ...hundred.slice(0, 2)] },
    });
  },

  'exchanges currencies with four legs that are zero in each': async ({
    client,
  }) => {
    const [usd, eur, liquidityUsd, liquidityEur] = await Promise.all([
      openAccount(client),
      openAccount(client, { currency: 'EUR' }),
      openAccount(client, { kind: 'asset' }),
      openAccount(client, { kind: 'asset', currency: 'EUR' }),
    ]);
    const exchange = [
      ...legs(usd, liquidityUsd, '1100'),
      ...legs(liquidityEur, eur, '1000', 'EUR'),
    ];
    const posted = await client.expect(201, 'POST', '/v1/transactions', {
      body: { legs: exchange },
    });
    equal(posted.kind, 'fx', 'the kind');
    await balanceIs(client, eur, { posted: '1000' });
    await balanceIs(client, liquidityUsd, { posted: '-1100' });
    await client.expect(201, 'POST', '/v1/transactions', {
      body: { kind: 'fx', legs: exchange },
    });
    // Zero over both together is not zero in each.
    await client.refuse('validation-failed', 'POST', '/v1/transactions', {
      body: {
        legs: [
          legs(usd, liquidityUsd, '5')[0],
          legs(liquidityEur, eur, '5', 'EUR')[1],
        ],
      },
    });
    for (const body of [
      { kind: 'posting', legs: exchange },
      { kind: 'fx', legs: legs(usd, liquidityUsd, '5') },
      { kind: 'pending', legs: legs(usd, liquidityUsd, '5') },
      { kind: 'reversal', legs: legs(usd, liquidityUsd, '5') },
    ])
      await client.refuse('validation-failed', 'POST', '/v1/transactions', {
        body,
      });
  },

  'reads money only as text of whole minor units': async ({ client }) => {
    const [a, b] = [await openAccount(client), await openAccount(client)];
    const body = (value: unknown) => ({ legs: legs(a, b, value as string) });
    const raw = (value: string) =>
      JSON.stringify(body('VALUE')).replaceAll('"VALUE"', value);
    for (const value of [
      '0',
      '-1',
      '+1',
      '1.5',
      '1.0',
      '01',
      '1e3',
      ' 1',
      '1 ',
      '',
      'ten',
      '0x10',
      '١',
      '1,000',
      '1_000',
      'NaN',
      '1000000000000000000',
      '9223372036854775807',
      '9223372036854775808',
      '-9223372036854775808',
      '1'.repeat(400),
    ])
      await client.refuse('validation-failed', 'POST', '/v1/transactions', {
        body: body(value),
      });
    for (const value of [
      '1050',
      '1.5',
      '9007199254740993',
      'null',
      'true',
      '["5"]',
      '{"value":"5"}',
    ])
      await client.refuse('validation-failed', 'POST', '/v1/transactions', {
        raw: raw(value),
        headers: { 'content-type': 'application/json' },
      });
    // 2^53 + 1 is a text like any other.
    const exact = await transfer(client, a, b, '9007199254740993');
    equal(exact.legs[0].amount.value, '9007199254740993', 'the amount');
    await transfer(client, a, b, LARGEST);
    await balanceIs(client, b, { posted: '1009007199254740992' });
    await accountAddsUp(client, b);
  },

  'refuses legs that do not fit': async ({ client }) => {
    const [a, b, eur] = await Promise.all([
      openAccount(client),
      openAccount(client),
      openAccount(client, { currency: 'EUR' }),
    ]);
    const [debit, credit] = legs(a, b, '5');
    const bad: unknown[] = [
      {},
      { legs: [] },
      { legs: [debit] },
      { legs: [debit, debit] },
      { legs: [debit, { ...credit, amount: { value: '4', currency: 'USD' } }] },
      { legs: [debit, { ...credit, direction: 'up' }] },
      { legs: [debit, { ...credit, accountId: 'me' }] },
      { legs: [debit, { ...credit, more: 1 }] },
      { legs: [debit, { ...credit, amount: { value: '5' } }] },
      { legs: legs(a, b, '5', 'usd') },
      { legs: legs(a, b, '5', 'QQQ') },
      { legs: legs(a, b, '5'), effectiveAt: 'tomorrow' },
      { legs: legs(a, b, '5'), externalRef: '' },
      { legs: legs(a, b, '5'), externalRef: 'x'.repeat(129) },
      { legs: legs(a, b, '5'), externalRef: 'a\nb' },
      { legs: legs(a, b, '5'), id: NOWHERE },
    ];
    for (const body of bad)
      await client.refuse('validation-failed', 'POST', '/v1/transactions', {
        body,
      });
    const unknown = await client.refuse(
      'account-unknown',
      'POST',
      '/v1/transactions',
      { body: { legs: legs(a, NOWHERE, '5') } },
    );
    must(
      unknown.errors?.some((error: any) => error.pointer.startsWith('/legs/1')),
      'account-unknown does not name the leg',
    );
    await client.refuse('currency-mismatch', 'POST', '/v1/transactions', {
      body: { legs: legs(a, eur, '5') },
    });
    await balanceIs(client, a, { posted: '0' });
    await balanceIs(client, b, { posted: '0' });
  },

  'keeps an account above its minAvailable': async ({ client }) => {
    const { cash, wallet: owner } = await wallet(client, 100n);
    await client.refuse('insufficient-funds', 'POST', '/v1/transactions', {
      body: { legs: legs(owner, cash, '101') },
    });
    await transfer(client, owner, cash, '100');
    await client.refuse('insufficient-funds', 'POST', '/v1/transactions', {
      body: { legs: legs(owner, cash, '1') },
    });
    await balanceIs(client, owner, { posted: '0', available: '0' });
    const credit = await openAccount(client, { minAvailable: '-50' });
    await transfer(client, credit, cash, '50');
    await client.refuse('insufficient-funds', 'POST', '/v1/transactions', {
      body: { legs: legs(credit, cash, '1') },
    });
    await balanceIs(client, credit, { posted: '-50', available: '-50' });
    // What goes out and comes back in one transaction takes nothing out.
    await client.expect(201, 'POST', '/v1/transactions', {
      body: {
        legs: [...legs(owner, cash, '10'), ...legs(cash, owner, '10')],
      },
    });
  },

  'refuses what would not fit into 64 bits': async ({ client }) => {
    const [a, b] = [await openAccount(client), await openAccount(client)];
    // 9 × (10^18 - 1) < 2^63 ≤ 10 × (10^18 - 1)
    for (let i = 0; i < 9; i++) await transfer(client, a, b, LARGEST);
    await client.refuse('limit-exceeded', 'POST', '/v1/transactions', {
      body: { legs: legs(a, b, LARGEST) },
    });
    await balanceIs(client, b, { posted: String(9n * BigInt(LARGEST)) });
    await accountAddsUp(client, a);
  },

  'takes business times of any clock': async ({ client }) => {
    const [a, b] = [await openAccount(client), await openAccount(client)];
    for (const effectiveAt of [
      '1999-12-31T23:59:59Z',
      '2099-01-01T00:00:00.123456Z',
      '2026-06-30T12:00:00-11:30',
    ]) {
      const posted = await transfer(client, a, b, '1', { effectiveAt });
      equal(
        Date.parse(posted.effectiveAt),
        Date.parse(effectiveAt),
        'effectiveAt',
      );
      must(
        Math.abs(Date.parse(posted.createdAt) - Date.now()) < 86_400_000,
        'createdAt is not the time of the service',
      );
    }
  },

  'finds transactions by reference, newest first, page by page': async ({
    client,
  }) => {
    const [a, b] = [await openAccount(client), await openAccount(client)];
    const externalRef = `ref-${a}`;
    const posted: string[] = [];
    for (let i = 0; i < 5; i++) {
      posted.push((await transfer(client, a, b, '1', { externalRef })).id);
      await transfer(client, a, b, '1');
    }
    const url = `/v1/transactions?externalRef=${externalRef}`;
    const found = await all(client, url, 2);
    equal(
      found.map(transaction => transaction.id),
      [...posted].reverse(),
      'what was found',
    );
    const page = await client.expect(200, 'GET', '/v1/transactions?limit=3');
    equal(page.items.length, 3, 'the length of a page');
    must(page.nextCursor !== null, 'the cursor is missing');
    equal(
      await all(client, '/v1/transactions?externalRef=never-used'),
      [],
      'the search for an unknown reference',
    );
    for (const query of ['limit=0', 'limit=1.5', 'cursor=%21', 'externalRef='])
      await client.refuse(
        'validation-failed',
        'GET',
        `/v1/transactions?${query}`,
      );
    await client.refuse('not-found', 'GET', `/v1/transactions/${NOWHERE}`);
    await client.refuse('validation-failed', 'GET', '/v1/transactions/1');
  },

  'is zero in each currency': async ({ client }) => {
    const report = await client.expect(200, 'GET', '/v1/reports/trial-balance');
    equal(report.balanced, true, 'balanced');
    for (const row of report.currencies) {
      equal(row.difference, '0', `the difference in ${row.currency}`);
      equal(row.debits, row.credits, `debits and credits in ${row.currency}`);
    }
    must(report.currencies.length > 0, 'no currency in the trial balance');
  },
});
