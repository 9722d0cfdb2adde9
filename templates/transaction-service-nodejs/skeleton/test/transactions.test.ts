import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { legs, startHarness, type Harness } from './support/harness.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const UNKNOWN = '01980000-0000-7000-8000-000000000000';

const leg = (accountId: string, direction: string, value: string, currency = 'USD') => ({
  accountId,
  direction,
  amount: { value, currency },
});

describe('POST /v1/transactions', () => {
  it('posts a transaction that reads back the same', async () => {
    const { account, bank } = await service.funded('100');
    const posted = await service.post('/v1/transactions', {
      legs: legs(account, bank, '40'),
      externalRef: 'order 7/ü',
      effectiveAt: '2026-03-01T12:00:00+02:00',
      metadata: { channel: 'app' },
    });
    expect(posted.status).toBe(201);
    expect(posted.headers.location).toBe(`/v1/transactions/${posted.body.id}`);
    expect(posted.body).toMatchObject({
      kind: 'posting',
      externalRef: 'order 7/ü',
      effectiveAt: '2026-03-01T10:00:00.000000Z',
      actor: 'anonymous',
      reverses: null,
      metadata: { channel: 'app' },
      legs: [
        {
          line: 1,
          accountId: account,
          direction: 'debit',
          amount: { value: '40', currency: 'USD' },
          balanceAfter: '60',
          accountVersion: 2,
          reversesLine: null,
        },
        { line: 2, accountId: bank, direction: 'credit', balanceAfter: '60', accountVersion: 2 },
      ],
    });
    const { reversal, resolution, ...read } = (await service.get(posted.headers.location!)).body;
    expect(resolution).toBeNull();
    expect(read).toEqual(posted.body);
    expect(reversal).toEqual({
      state: 'none',
      transactions: [],
      remaining: [
        { line: 1, amount: '40' },
        { line: 2, amount: '40' },
      ],
    });
  });

  it('takes many legs, several currencies and an account twice', async () => {
    const usd = await service.openAccount({ minAvailable: '0' });
    const usdBank = await service.openAccount({ kind: 'asset' });
    const eur = await service.openAccount({ currency: 'EUR' });
    const eurBank = await service.openAccount({ kind: 'asset', currency: 'EUR' });
    const posted = await service.post('/v1/transactions', {
      legs: [
        leg(usd, 'debit', '30'),
        leg(usd, 'credit', '100'),
        leg(usdBank, 'debit', '70'),
        leg(eurBank, 'credit', '9'),
        leg(eur, 'debit', '9', 'EUR'),
      ].map((item, i) => (i === 3 ? leg(eurBank, 'credit', '9', 'EUR') : item)),
    });
    // The account ends at 70 although its first leg alone would have overdrawn it.
    expect(posted).toMatchObject({ status: 201, body: { kind: 'fx' } });
    expect(posted.body.legs.map((item: any) => [item.balanceAfter, item.accountVersion])).toEqual([
      ['-30', 1],
      ['70', 2],
      ['70', 1],
      ['-9', 1],
      ['-9', 1],
    ]);
  });

  it.each([
    ['no legs', [], '/legs', 'minItems'],
    [
      'legs that do not balance',
      [
        ['debit', '5'],
        ['credit', '4'],
      ],
      '/legs',
      'unbalanced',
    ],
    [
      'zero',
      [
        ['debit', '0'],
        ['credit', '0'],
      ],
      '/legs/0/amount/value',
      'pattern',
    ],
    [
      'fractions',
      [
        ['debit', '1.50'],
        ['credit', '1.50'],
      ],
      '/legs/0/amount/value',
      'pattern',
    ],
    [
      'negative amounts',
      [
        ['debit', '-5'],
        ['credit', '-5'],
      ],
      '/legs/0/amount/value',
      'pattern',
    ],
    [
      'exponents',
      [
        ['debit', '1e3'],
        ['credit', '1e3'],
      ],
      '/legs/0/amount/value',
      'pattern',
    ],
    [
      '19 digits',
      [
        ['debit', '1'.repeat(19)],
        ['credit', '1'.repeat(19)],
      ],
      '/legs/0/amount/value',
      'pattern',
    ],
    [
      'JSON numbers',
      [
        ['debit', 5],
        ['credit', 5],
      ],
      '/legs/0/amount/value',
      'type',
    ],
    [
      'an unknown direction',
      [
        ['in', '5'],
        ['out', '5'],
      ],
      '/legs/0/direction',
      'enum',
    ],
  ] as [string, [string, string][], string, string][])('refuses %s', async (_what, parts, pointer, code) => {
    const account = await service.openAccount();
    const refused = await service.post('/v1/transactions', {
      legs: parts.map(([direction, value]) => leg(account, direction, value)),
    });
    expect(refused).toMatchObject({ status: 400, body: { code: 'validation-failed', status: 400 } });
    expect(refused.body.errors).toContainEqual(expect.objectContaining({ pointer, code }));
  });

  it('refuses legs that balance only across currencies', async () => {
    const usd = await service.openAccount();
    const eur = await service.openAccount({ currency: 'EUR' });
    const refused = await service.post('/v1/transactions', {
      legs: [leg(usd, 'debit', '5'), leg(eur, 'credit', '5', 'EUR')],
    });
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer: '/legs', code: 'unbalanced' }] } });
  });

  it('refuses a currency that is not the account’s', async () => {
    const a = await service.openAccount();
    const b = await service.openAccount();
    const refused = await service.post('/v1/transactions', { legs: legs(a, b, '5', 'EUR') });
    expect(refused).toMatchObject({
      status: 422,
      body: { code: 'currency-mismatch', errors: [{ pointer: '/legs/0' }] },
    });
  });

  it('refuses to go below the limit, says how much there is, and writes nothing', async () => {
    const { account, bank } = await service.funded('1050');
    const refused = await service.transfer(account, bank, '1051');
    expect(refused).toMatchObject({
      status: 422,
      body: { code: 'insufficient-funds', errors: [{ pointer: '/legs/0', code: 'insufficient-funds' }] },
    });
    expect(refused.body.detail).toContain('10.50 USD');
    expect(await service.balance(account)).toBe('1050');
    expect((await service.transfer(account, bank, '1050')).status).toBe(201);
  });

  it('allows an overdraft down to the limit, on debit-normal accounts too', async () => {
    const overdraft = await service.openAccount({ minAvailable: '-100' });
    const cash = await service.openAccount({ kind: 'asset', minAvailable: '0' });
    const other = await service.openAccount();
    expect((await service.transfer(overdraft, other, '100')).status).toBe(201);
    expect((await service.transfer(overdraft, other, '1')).status).toBe(422);
    expect((await service.transfer(other, cash, '1')).body.code).toBe('insufficient-funds');
    expect((await service.transfer(cash, other, '5')).status).toBe(201);
    expect((await service.transfer(other, cash, '5')).status).toBe(201);
  });

  it('refuses a balance beyond 64 bits', async () => {
    const a = await service.openAccount();
    const b = await service.openAccount();
    const most = '9'.repeat(18);
    let last = 201;
    for (let i = 0; i < 11 && last === 201; i++) last = (await service.transfer(a, b, most)).status;
    expect(last).toBe(422);
    expect((await service.transfer(a, b, most)).body.code).toBe('limit-exceeded');
    expect((await service.transfer(a, b, '5')).status).toBe(201);
  });
});

describe('idempotency', () => {
  it('repeats the first answer, success or refusal, even after the world has changed', async () => {
    const { account, bank } = await service.funded('10');
    const key = randomUUID();
    const refused = await service.transfer(account, bank, '11', key);
    await service.transfer(bank, account, '100');
    const again = await service.transfer(account, bank, '11', key);
    expect(again.status).toBe(422);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect({ ...again.body }).toEqual({ ...refused.body });

    const posted = await service.transfer(account, bank, '11');
    const repeatKey = randomUUID();
    const first = await service.transfer(account, bank, '12', repeatKey);
    await service.transfer(account, bank, '1');
    const repeat = await service.transfer(account, bank, '12', repeatKey);
    expect(repeat.status).toBe(200);
    expect(repeat.headers['idempotent-replayed']).toBe('true');
    expect(repeat.headers.location).toBe(first.headers.location);
    expect(repeat.body).toEqual(first.body);
    expect(repeat.body.id).not.toBe(posted.body.id);
    expect(await service.balance(account)).toBe('86');
  });

  it('refuses the key of another request', async () => {
    const { account, bank } = await service.funded('10');
    const key = randomUUID();
    await service.transfer(account, bank, '1', key);
    expect(await service.transfer(account, bank, '2', key)).toMatchObject({
      status: 422,
      body: { code: 'idempotency-mismatch' },
    });
    expect(await service.balance(account)).toBe('9');
  });

  it('keeps the keys of clients apart', async () => {
    const { account, bank } = await service.funded('10');
    const headers = { 'idempotency-key': randomUUID() };
    const body = { legs: legs(account, bank, '1') };
    const a = await service.post('/v1/transactions', body, { ...headers, 'x-client-id': 'a' });
    const b = await service.post('/v1/transactions', body, { ...headers, 'x-client-id': 'b' });
    expect([a.status, b.status]).toEqual([201, 201]);
    expect([a.body.actor, b.body.actor]).toEqual(['a', 'b']);
    expect((await service.post('/v1/transactions', body, { 'x-client-id': 'a b' })).status).toBe(400);
  });

  it.each([
    '/v1/accounts',
    '/v1/transactions',
    `/v1/transactions/${UNKNOWN}/reversal`,
    `/v1/accounts/${UNKNOWN}/status`,
  ])('is required on POST %s', async url => {
    const missing = await service.post(url, {}, { 'idempotency-key': '' });
    expect(missing).toMatchObject({ status: 400, body: { code: 'idempotency-key-missing' } });
    const bad = await service.post(url, {}, { 'idempotency-key': 'a b' });
    expect(bad).toMatchObject({ status: 400, body: { code: 'validation-failed' } });
    const long = await service.post(url, {}, { 'idempotency-key': 'x'.repeat(256) });
    expect(long).toMatchObject({ status: 400, body: { code: 'validation-failed' } });
  });
});

describe('POST /v1/transactions/{id}/reversal', () => {
  const reverse = (id: string, body: unknown = {}, headers = {}) =>
    service.post(`/v1/transactions/${id}/reversal`, body, headers);

  it('takes everything back', async () => {
    const { account, bank } = await service.funded('100');
    const { id } = (await service.transfer(account, bank, '40')).body;
    const reversed = await reverse(id, { externalRef: 'refund', metadata: { why: 'returned' } });
    expect(reversed).toMatchObject({
      status: 201,
      body: {
        kind: 'reversal',
        reverses: id,
        externalRef: 'refund',
        legs: [
          { direction: 'credit', amount: { value: '40' }, balanceAfter: '100', reversesLine: 1 },
          { direction: 'debit', amount: { value: '40' }, reversesLine: 2 },
        ],
      },
    });
    const read = await service.get(`/v1/transactions/${id}`);
    expect(read.body.reversal).toMatchObject({ state: 'full', transactions: [reversed.body.id] });
    expect(await reverse(id)).toMatchObject({ status: 409, body: { code: 'already-reversed' } });
    expect(await reverse(reversed.body.id)).toMatchObject({ status: 409, body: { code: 'not-reversible' } });
  });

  it('takes parts back, never more than there was', async () => {
    const { account, bank } = await service.funded('100');
    const { id } = (await service.transfer(account, bank, '40')).body;
    const amount = (value: string) => ({ amount: { value, currency: 'USD' } });
    expect((await reverse(id, amount('15'))).status).toBe(201);
    const tooMuch = await reverse(id, amount('26'));
    expect(tooMuch).toMatchObject({ status: 409, body: { code: 'already-reversed' } });
    expect(tooMuch.body.detail).toContain('25 left');
    const state = (await service.get(`/v1/transactions/${id}`)).body.reversal;
    expect(state).toMatchObject({
      state: 'partial',
      remaining: [
        { line: 1, amount: '25' },
        { line: 2, amount: '25' },
      ],
    });
    expect((await reverse(id)).body.legs[0].amount.value).toBe('25');
    expect(await service.balance(account)).toBe('100');
  });

  it('takes named lines back of a transaction with many legs', async () => {
    const { account, bank } = await service.funded('100');
    const fees = await service.openAccount({ kind: 'income' });
    const { id } = (
      await service.post('/v1/transactions', {
        legs: [leg(account, 'debit', '50'), leg(bank, 'credit', '45'), leg(fees, 'credit', '5')],
      })
    ).body;
    const part = (line: number, value: string, currency = 'USD') => ({ line, amount: { value, currency } });
    const refused: [unknown, number, string, string][] = [
      [{ amount: { value: '5', currency: 'USD' } }, 400, '/amount', 'ambiguous'],
      [{ amount: { value: '5', currency: 'USD' }, legs: [part(1, '5'), part(3, '5')] }, 400, '/amount', 'exclusive'],
      [{ legs: [part(1, '5'), part(9, '5')] }, 400, '/legs/1/line', 'unknown'],
      [{ legs: [part(1, '5'), part(1, '5')] }, 400, '/legs/1/line', 'duplicate'],
      [{ legs: [part(1, '5'), part(3, '4')] }, 400, '/legs', 'unbalanced'],
      [{ legs: [part(1, '5', 'EUR'), part(3, '5', 'EUR')] }, 422, '/legs/0/amount/currency', 'currency-mismatch'],
    ];
    for (const [body, status, pointer, code] of refused) {
      expect(await reverse(id, body)).toMatchObject({ status, body: { errors: [{ pointer, code }] } });
    }
    expect(await reverse(id, { legs: [part(1, '5'), part(3, '5')] })).toMatchObject({
      status: 201,
      body: { legs: [{ reversesLine: 1 }, { reversesLine: 3 }] },
    });
    expect((await reverse(id, { legs: [part(1, '5'), part(3, '5')] })).status).toBe(409);
    expect((await reverse(id)).body.legs.map((item: any) => item.amount.value)).toEqual(['45', '45']);
    expect(await service.balance(fees)).toBe('0');
  });

  it('needs the money to be there, and repeats its answer', async () => {
    const { account, bank } = await service.funded('0');
    const { id } = (await service.transfer(bank, account, '40')).body;
    await service.transfer(account, bank, '30');
    const headers = { 'idempotency-key': randomUUID() };
    expect(await reverse(id, {}, headers)).toMatchObject({ status: 422, body: { code: 'insufficient-funds' } });
    await service.transfer(bank, account, '30');
    const replay = await reverse(id, {}, headers);
    expect(replay).toMatchObject({ status: 422, body: { code: 'insufficient-funds' } });
    expect(replay.headers['idempotent-replayed']).toBe('true');
    const key = { 'idempotency-key': randomUUID() };
    const done = await reverse(id, {}, key);
    expect(done.status).toBe(201);
    expect(await reverse(id, {}, key)).toMatchObject({ status: 200, body: done.body });
    expect(await reverse(id, { externalRef: 'x' }, key)).toMatchObject({
      status: 422,
      body: { code: 'idempotency-mismatch' },
    });
  });

  it('knows no unknown transaction', async () => {
    expect(await reverse(UNKNOWN)).toMatchObject({ status: 404, body: { code: 'not-found' } });
    expect(await reverse(UNKNOWN, { amount: { value: '1', currency: 'USD' } })).toMatchObject({ status: 404 });
    expect((await reverse('x')).status).toBe(400);
  });
});

describe('GET /v1/transactions', () => {
  it('finds by reference, newest first, page by page', async () => {
    const { account, bank } = await service.funded('100');
    const externalRef = `ref-${randomUUID()}`;
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift((await service.post('/v1/transactions', { legs: legs(account, bank, '1'), externalRef })).body.id);
    }
    const first = await service.get(`/v1/transactions?externalRef=${externalRef}&limit=3`);
    const second = await service.get(
      `/v1/transactions?externalRef=${externalRef}&limit=3&cursor=${first.body.nextCursor}`,
    );
    expect([...first.body.items, ...second.body.items].map((item: any) => item.id)).toEqual(ids);
    expect(second.body.nextCursor).toBeNull();
    const all = await service.get('/v1/transactions?limit=1');
    expect(all.body.items).toHaveLength(1);
    expect((await service.get('/v1/transactions?externalRef=nobody')).body.items).toEqual([]);
  });

  it('refuses a bad cursor and unknown parameters', async () => {
    expect((await service.get('/v1/transactions?cursor=abc')).status).toBe(400);
    expect((await service.get('/v1/transactions?offset=abc')).status).toBe(400);
    expect((await service.get(`/v1/transactions/${UNKNOWN}`)).status).toBe(404);
    expect((await service.get('/v1/transactions/1')).status).toBe(400);
  });
});

describe('GET /v1/reports/trial-balance', () => {
  it('proves the books', async () => {
    await service.funded('100', 'EUR');
    const { status, body } = await service.get('/v1/reports/trial-balance');
    expect(status).toBe(200);
    expect(body.balanced).toBe(true);
    const eur = body.currencies.find((row: any) => row.currency === 'EUR');
    expect(eur).toMatchObject({ difference: '0' });
    expect(BigInt(eur.debits)).toBeGreaterThanOrEqual(100n);
    expect(eur.debits).toBe(eur.credits);
  });
});
