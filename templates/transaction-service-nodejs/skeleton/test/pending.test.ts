import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { legs, startHarness, type Answer, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

async function hold(from: string, to: string, value: string, expiresAt = inAnHour()): Promise<Answer> {
  return service.post('/v1/transactions', { legs: legs(from, to, value), pending: { expiresAt } });
}

const act = (id: string, what: string, body: unknown = {}) => service.post(`/v1/transactions/${id}/${what}`, body);

async function figures(account: string): Promise<string> {
  const { posted, pending, available, version } = (await service.get(`/v1/accounts/${account}/balance`)).body;
  return `${posted} ${pending} ${available} v${version}`;
}

async function expire(): Promise<void> {
  const worker = service.runtime.workers.find(({ name }) => name === 'expire-pending')!;
  await worker.run(new AbortController().signal);
}

describe('a pending transaction', () => {
  it('holds money without moving it', async () => {
    const { account, bank } = await service.funded('100');
    const before = (await service.get(`/v1/accounts/${account}/balance`)).headers.etag;
    const held = await hold(account, bank, '60');
    expect(held).toMatchObject({
      status: 201,
      body: { kind: 'pending', resolves: null, legs: [{ balanceAfter: null, accountVersion: null }, {}] },
    });
    expect(await figures(account)).toBe('100 60 40 v1');
    expect((await service.get(`/v1/accounts/${account}/balance`)).headers.etag).not.toBe(before);
    expect((await service.transfer(account, bank, '41')).body.code).toBe('insufficient-funds');
    expect((await hold(account, bank, '41')).body.code).toBe('insufficient-funds');
    expect((await service.get(`/v1/accounts/${account}/entries`)).body.items).toHaveLength(1);
    expect((await service.get(`/v1/transactions/${held.body.id}`)).body.resolution).toEqual({
      state: 'pending',
      transaction: null,
    });
  });

  it('is posted in full', async () => {
    const { account, bank } = await service.funded('100');
    const { id } = (await hold(account, bank, '60')).body;
    const posted = await act(id, 'post');
    expect(posted).toMatchObject({
      status: 201,
      body: { kind: 'post', resolves: id, legs: [{ line: 1, balanceAfter: '40', accountVersion: 2 }, { line: 2 }] },
    });
    expect(await figures(account)).toBe('40 0 40 v2');
    const read = await service.get(`/v1/transactions/${id}`);
    expect(read.body.resolution).toEqual({ state: 'posted', transaction: posted.body.id });
    // What a post moved can be taken back as any other transaction.
    expect((await act(posted.body.id, 'reversal')).body).toMatchObject({ kind: 'reversal', reverses: posted.body.id });
    expect(await figures(account)).toBe('100 0 100 v3');
  });

  it('is posted in part, and the rest is released', async () => {
    const { account, bank } = await service.funded('100');
    const { id } = (await hold(account, bank, '60')).body;
    const posted = await act(id, 'post', { amount: { value: '25', currency: 'USD' } });
    expect(posted.body.legs.map((leg: any) => leg.amount.value)).toEqual(['25', '25']);
    expect(await figures(account)).toBe('75 0 75 v2');
    expect(await act(id, 'post', { amount: { value: '35', currency: 'USD' } })).toMatchObject({
      status: 409,
      body: { code: 'already-resolved' },
    });
  });

  it('is posted by line, several legs at once', async () => {
    const { account, bank } = await service.funded('100');
    const fee = await service.openAccount({ kind: 'income' });
    const { id } = (
      await service.post('/v1/transactions', {
        pending: { expiresAt: inAnHour() },
        legs: [
          { accountId: account, direction: 'debit', amount: { value: '60', currency: 'USD' } },
          { accountId: bank, direction: 'credit', amount: { value: '55', currency: 'USD' } },
          { accountId: fee, direction: 'credit', amount: { value: '5', currency: 'USD' } },
        ],
      })
    ).body;
    const amount = (value: string) => ({ value, currency: 'USD' });
    expect(
      await act(id, 'post', {
        legs: [
          { line: 1, amount: amount('6') },
          { line: 3, amount: amount('6') },
        ],
      }),
    ).toMatchObject({ status: 422, body: { code: 'pending-exceeded' } });
    const part = {
      legs: [
        { line: 1, amount: amount('4') },
        { line: 3, amount: amount('4') },
      ],
    };
    const posted = await act(id, 'post', part);
    expect(posted.body.legs.map((leg: any) => [leg.line, leg.accountId, leg.amount.value])).toEqual([
      [1, account, '4'],
      [3, fee, '4'],
    ]);
    expect(await figures(account)).toBe('96 0 96 v2');
  });

  it('is voided, on a frozen account too; a post is not', async () => {
    const { account, bank } = await service.funded('100');
    const [first, second] = [(await hold(account, bank, '60')).body.id, (await hold(account, bank, '30')).body.id];
    await service.post(`/v1/accounts/${account}/status`, { status: 'frozen', reason: 'test' });
    expect(await act(second, 'post')).toMatchObject({ status: 409, body: { code: 'account-frozen' } });
    const voided = await act(first, 'void', { metadata: { why: 'changed' } });
    expect(voided).toMatchObject({
      status: 201,
      body: { kind: 'void', resolves: first, metadata: { why: 'changed' }, legs: [{ amount: { value: '60' } }, {}] },
    });
    expect(await figures(account)).toBe('100 30 70 v1');
    expect(await act(first, 'post')).toMatchObject({ status: 409, body: { code: 'already-resolved' } });
    expect(await act(first, 'void')).toMatchObject({ status: 409, body: { code: 'already-resolved' } });
    expect((await service.get(`/v1/transactions/${first}`)).body.resolution.state).toBe('voided');
    expect((await service.post(`/v1/accounts/${account}/status`, { status: 'closed', reason: 'x' })).body.code).toBe(
      'account-not-empty',
    );
  });

  it('is answered alike again under the same key, even when its time is over', async () => {
    const { account, bank } = await service.funded('100');
    const key = { 'idempotency-key': randomUUID() };
    const expiresAt = new Date(Date.now() + 1_500).toISOString();
    const body = { legs: legs(account, bank, '10'), pending: { expiresAt } };
    const first = await service.post('/v1/transactions', body, key);
    expect(first.status).toBe(201);
    await until(() => Date.now() > Date.parse(expiresAt));
    const again = await service.post('/v1/transactions', body, key);
    expect(again).toMatchObject({ status: 200, headers: { 'idempotent-replayed': 'true' } });
    expect(again.body).toEqual(first.body);
    expect((await service.post('/v1/transactions', body)).body.errors[0]).toMatchObject({
      pointer: '/pending/expiresAt',
      code: 'past',
    });
  });

  it('expires: it can be neither posted nor voided, and the worker releases it', async () => {
    const { account, bank } = await service.funded('100');
    const expiresAt = new Date(Date.now() + 700).toISOString();
    const { id } = (await hold(account, bank, '60', expiresAt)).body;
    await until(async () => (await service.get(`/v1/transactions/${id}`)).body.resolution.state === 'expired');
    for (const what of ['post', 'void']) {
      expect(await act(id, what)).toMatchObject({ status: 409, body: { code: 'pending-expired' } });
    }
    await expire();
    expect(await figures(account)).toBe('100 0 100 v1');
    const { resolution } = (await service.get(`/v1/transactions/${id}`)).body;
    expect(resolution.state).toBe('expired');
    expect((await service.get(`/v1/transactions/${resolution.transaction}`)).body).toMatchObject({
      kind: 'void',
      actor: 'system:expiry',
      resolves: id,
    });
    expect(await act(id, 'post')).toMatchObject({ status: 409, body: { code: 'pending-expired' } });
  });

  it.each([
    ['in the past', -1_000, 'past'],
    ['further than 366 days away', 367 * 24 * 3_600_000, 'too-far'],
  ])('cannot end %s', async (_name, from, code) => {
    const { account, bank } = await service.funded('100');
    const refused = await hold(account, bank, '1', new Date(Date.now() + from).toISOString());
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer: '/pending/expiresAt', code }] } });
  });

  it('is settled once, however many try', async () => {
    const { account, bank } = await service.funded('100');
    const { id } = (await hold(account, bank, '60')).body;
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => act(id, i % 2 === 0 ? 'post' : 'void')));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'already-resolved')).toHaveLength(19);
  });

  it('holds are given out up to the funds: 200 at once on 100', async () => {
    const { account, bank } = await service.funded('100');
    const answers = await Promise.all(Array.from({ length: 200 }, () => hold(account, bank, '1')));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(100);
    expect(await figures(account)).toBe('100 100 0 v1');
  });
});

it('what is not pending can be neither posted nor voided, and what is pending cannot be reversed', async () => {
  const { account, bank } = await service.funded('100');
  const { id } = (await service.transfer(account, bank, '10')).body;
  for (const what of ['post', 'void']) {
    expect(await act(id, what)).toMatchObject({ status: 409, body: { code: 'not-pending' } });
    expect(await act(randomUUID(), what)).toMatchObject({ status: 404, body: { code: 'not-found' } });
  }
  const held = (await hold(account, bank, '10')).body.id;
  expect(await act(held, 'reversal')).toMatchObject({ status: 409, body: { code: 'not-reversible' } });
  const voided = (await act(held, 'void')).body.id;
  expect(await act(voided, 'reversal')).toMatchObject({ status: 409, body: { code: 'not-reversible' } });
});

it('leaves the ledger in order', async () => {
  expect(await findViolations(process.env.SERVICE_OWNER_URL!)).toEqual([]);
});

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    if (await condition()) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error('the condition did not come true in 20 seconds');
}
