import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { legs, startHarness, type Harness } from './support/harness.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const UNKNOWN = '01980000-0000-7000-8000-000000000000';

describe('POST /v1/accounts', () => {
  it('opens an account and says where it is', async () => {
    const opened = await service.post('/v1/accounts', {
      name: 'Wallet of Zoë ☂',
      kind: 'liability',
      currency: 'KWD',
      minAvailable: '-5000',
      metadata: { customer: 'c-1' },
    });
    expect(opened.status).toBe(201);
    expect(opened.body).toMatchObject({
      name: 'Wallet of Zoë ☂',
      currency: 'KWD',
      exponent: 3,
      normalSide: 'credit',
      status: 'open',
      minAvailable: '-5000',
      metadata: { customer: 'c-1' },
    });
    expect(opened.headers.location).toBe(`/v1/accounts/${opened.body.id}`);
    expect(opened.body.id[14]).toBe('7');
    const read = await service.get(opened.headers.location!);
    expect(read).toMatchObject({ status: 200, body: opened.body });
  });

  it.each([
    ['asset', 'debit'],
    ['expense', 'debit'],
    ['liability', 'credit'],
    ['equity', 'credit'],
    ['income', 'credit'],
  ])('%s accounts are %s-normal unless told otherwise', async (kind, normalSide) => {
    const opened = await service.post('/v1/accounts', { name: 'x', kind, currency: 'JPY' });
    expect(opened.body).toMatchObject({ normalSide, exponent: 0, minAvailable: null });
  });

  it('answers a repeated request from the first one', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { name: 'once', kind: 'asset', currency: 'USD' };
    const first = await service.post('/v1/accounts', body, headers);
    const again = await service.post('/v1/accounts', { currency: 'USD', kind: 'asset', name: 'once' }, headers);
    expect(again.status).toBe(200);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.body).toEqual(first.body);
    const other = await service.post('/v1/accounts', { ...body, name: 'twice' }, headers);
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency-mismatch' } });
  });

  it.each([
    ['a missing name', { kind: 'asset', currency: 'USD' }, '/name', 'required'],
    ['an unknown kind', { name: 'x', kind: 'bank', currency: 'USD' }, '/kind', 'enum'],
    ['a currency that does not exist', { name: 'x', kind: 'asset', currency: 'XYZ' }, '/currency', 'unknown-currency'],
    ['a currency in small letters', { name: 'x', kind: 'asset', currency: 'usd' }, '/currency', 'pattern'],
    ['an unknown field', { name: 'x', kind: 'asset', currency: 'USD', pan: '4111' }, '/pan', 'additionalProperties'],
    [
      'a limit above zero',
      { name: 'x', kind: 'asset', currency: 'USD', minAvailable: '5' },
      '/minAvailable',
      'pattern',
    ],
    ['a number for money', { name: 'x', kind: 'asset', currency: 'USD', minAvailable: -5 }, '/minAvailable', 'type'],
    ['control characters', { name: 'a\u0000b', kind: 'asset', currency: 'USD' }, '/name', 'pattern'],
    [
      'metadata that is no text',
      { name: 'x', kind: 'asset', currency: 'USD', metadata: { a: 1 } },
      '/metadata/a',
      'type',
    ],
  ])('refuses %s and names the field', async (_what, body, pointer, code) => {
    const refused = await service.post('/v1/accounts', body);
    expect(refused.status).toBe(400);
    expect(refused.body.code).toBe('validation-failed');
    expect(refused.body.errors).toContainEqual(expect.objectContaining({ pointer, code }));
  });
});

describe('GET /v1/accounts/{id}', () => {
  it.each(['', '/balance', '/entries'])('%s of an unknown account is 404', async suffix => {
    expect(await service.get(`/v1/accounts/${UNKNOWN}${suffix}`)).toMatchObject({
      status: 404,
      body: { code: 'not-found' },
    });
  });

  it.each(['', '/balance', '/entries'])('%s with an id that is no UUID is 400', async suffix => {
    const refused = await service.get(`/v1/accounts/1%20or%201=1${suffix}`);
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/path/id' }] } });
  });
});

describe('GET /v1/accounts/{id}/balance', () => {
  it('shows both sides, and its ETag changes with every entry', async () => {
    const { account, bank } = await service.funded('900719925474099312');
    const path = `/v1/accounts/${account}/balance`;
    const first = await service.get(path);
    expect(first.body).toEqual({
      accountId: account,
      at: null,
      currency: 'USD',
      exponent: 2,
      posted: '900719925474099312',
      pending: '0',
      available: '900719925474099312',
      debitsPosted: '0',
      creditsPosted: '900719925474099312',
      version: 1,
    });
    expect(first.headers.etag).toBe('"1-0"');
    const same = await service.get(path, { 'if-none-match': '"0-0", "1-0"' });
    expect(same).toMatchObject({ status: 304, body: '' });
    expect(same.headers.etag).toBe('"1-0"');
    await service.transfer(account, bank, '12');
    const changed = await service.get(path, { 'if-none-match': '"1"' });
    expect(changed).toMatchObject({ status: 200, body: { posted: '900719925474099300', version: 2 } });
    expect((await service.get(`/v1/accounts/${bank}/balance`)).body.posted).toBe('900719925474099300');
  });
});

describe('GET /v1/accounts/{id}/entries', () => {
  it('pages through the history, newest first, without gaps or repetitions while new entries arrive', async () => {
    const { account, bank } = await service.funded('1000');
    for (let i = 1; i <= 6; i++) await service.transfer(account, bank, String(i));
    const versions: number[] = [];
    let cursor: string | null = '';
    do {
      const page = await service.get(`/v1/accounts/${account}/entries?limit=3${cursor ? `&cursor=${cursor}` : ''}`);
      expect(page.status).toBe(200);
      versions.push(...page.body.items.map((item: any) => item.accountVersion));
      cursor = page.body.nextCursor;
      await service.transfer(account, bank, '1');
    } while (cursor !== null);
    expect(versions).toEqual([7, 6, 5, 4, 3, 2, 1]);
  });

  it('shows each entry with the balance after it', async () => {
    const { account, bank } = await service.funded('500');
    const posted = await service.transfer(account, bank, '20');
    const { body } = await service.get(`/v1/accounts/${account}/entries?limit=1`);
    expect(body.items[0]).toMatchObject({
      transactionId: posted.body.id,
      direction: 'debit',
      amount: { value: '20', currency: 'USD' },
      balanceAfter: '480',
    });
  });

  it('is empty for an account without entries', async () => {
    const account = await service.openAccount();
    expect((await service.get(`/v1/accounts/${account}/entries`)).body).toEqual({ items: [], nextCursor: null });
  });

  it.each([
    ['limit=0', '#/query/limit'],
    ['limit=201', '#/query/limit'],
    ['limit=ten', '#/query/limit'],
    ['cursor=%00', '#/query/cursor'],
    ['cursor=MSc7', '#/query/cursor'],
    ['offset=5', '#/query/offset'],
  ])('refuses ?%s', async (query, pointer) => {
    const account = await service.openAccount();
    const refused = await service.get(`/v1/accounts/${account}/entries?${query}`);
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
  });
});

describe('POST /v1/accounts/{id}/status', () => {
  const change = (account: string, status: string) =>
    service.post(`/v1/accounts/${account}/status`, { status, reason: 'test' });

  it('freezes and reopens an account; a frozen one takes no postings', async () => {
    const { account, bank } = await service.funded('100');
    expect(await change(account, 'frozen')).toMatchObject({ status: 201, body: { status: 'frozen' } });
    expect(await service.transfer(account, bank, '1')).toMatchObject({ status: 409, body: { code: 'account-frozen' } });
    expect(await service.transfer(bank, account, '1')).toMatchObject({ status: 409, body: { code: 'account-frozen' } });
    expect(await change(account, 'open')).toMatchObject({ status: 201, body: { status: 'open' } });
    expect((await service.transfer(account, bank, '1')).status).toBe(201);
  });

  it('closes only an empty account, for good', async () => {
    const { account, bank } = await service.funded('100');
    expect(await change(account, 'closed')).toMatchObject({ status: 409, body: { code: 'account-not-empty' } });
    await service.transfer(account, bank, '100');
    expect(await change(account, 'closed')).toMatchObject({ status: 201, body: { status: 'closed' } });
    expect(await change(account, 'open')).toMatchObject({ status: 409, body: { code: 'account-closed' } });
    expect(await service.transfer(bank, account, '1')).toMatchObject({ status: 409, body: { code: 'account-closed' } });
  });

  it('repeats its answer, and knows unknown accounts', async () => {
    const account = await service.openAccount();
    const headers = { 'idempotency-key': randomUUID() };
    const body = { status: 'frozen', reason: 'fraud' };
    const first = await service.post(`/v1/accounts/${account}/status`, body, headers);
    await change(account, 'open');
    const again = await service.post(`/v1/accounts/${account}/status`, body, headers);
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect((await service.get(`/v1/accounts/${account}`)).body.status).toBe('open');
    expect(await change(UNKNOWN, 'frozen')).toMatchObject({ status: 404, body: { code: 'not-found' } });
    expect((await change(account, 'gone')).status).toBe(400);
  });
});

describe('legs to an account that does not exist', () => {
  it('are refused, naming the leg', async () => {
    const account = await service.openAccount();
    const refused = await service.post('/v1/transactions', { legs: legs(account, UNKNOWN, '5') });
    expect(refused).toMatchObject({
      status: 422,
      body: { code: 'account-unknown', errors: [{ pointer: '/legs/1' }] },
    });
  });
});
