import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { legs, startHarness, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const send = (items: unknown[], key = randomUUID()) =>
  service.post('/v1/transactions:batch', { items }, { 'idempotency-key': key });

const results = (body: any) => body.items.map((item: any) => item.problem?.code ?? item.status);

describe('POST /v1/transactions:batch', () => {
  it('decides each item in its order; what one brings the next may spend', async () => {
    const { account, bank } = await service.funded('0');
    const other = await service.openAccount();
    const answer = await send([
      { legs: legs(account, other, '5') },
      { legs: legs(bank, account, '10'), externalRef: 'in' },
      { legs: legs(account, other, '7') },
      { legs: legs(account, other, '4') },
      { legs: legs(account, randomUUID(), '1') },
      { legs: legs(account, other, '3'), pending: { expiresAt: new Date(Date.now() + 60_000).toISOString() } },
      { legs: legs(account, other, '1') },
    ]);
    expect(answer.status).toBe(200);
    expect(results(answer.body)).toEqual([
      'insufficient-funds',
      201,
      201,
      'insufficient-funds',
      'account-unknown',
      201,
      'insufficient-funds',
    ]);
    expect(answer.body.items.map((item: any) => item.index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(answer.body.items[1].transaction).toMatchObject({ externalRef: 'in', kind: 'posting' });
    expect(answer.body.items[5].transaction.kind).toBe('pending');
    expect(answer.body.items[4]).toMatchObject({
      status: 422,
      transaction: null,
      problem: { type: expect.stringMatching(/account-unknown$/), errors: [{ pointer: '/items/4/legs/1' }] },
    });
    const { posted, available } = (await service.get(`/v1/accounts/${account}/balance`)).body;
    expect([posted, available]).toEqual(['3', '0']);
    for (const { transaction } of answer.body.items.filter((item: any) => item.status === 201)) {
      const { reversal, resolution, ...read } = (await service.get(`/v1/transactions/${transaction.id}`)).body;
      expect(reversal.state).toBe('none');
      expect(resolution === null).toBe(transaction.kind !== 'pending');
      expect(read).toEqual(transaction);
    }
  });

  it('is answered alike again under its key, and another body under it is refused', async () => {
    const { account, bank } = await service.funded('10');
    const key = randomUUID();
    const items = [{ legs: legs(account, bank, '10') }, { legs: legs(account, bank, '1') }];
    const first = await send(items, key);
    expect(results(first.body)).toEqual([201, 'insufficient-funds']);
    await service.transfer(bank, account, '50');
    const again = await send(items, key);
    expect(again).toMatchObject({ status: 200, headers: { 'idempotent-replayed': 'true' } });
    expect(again.body).toEqual(first.body);
    expect(await send(items.slice(0, 1), key)).toMatchObject({ status: 422, body: { code: 'idempotency-mismatch' } });
    // A key is one of the client, whatever it was used for.
    expect((await service.transfer(account, bank, '10', key)).body.code).toBe('idempotency-mismatch');
    expect(await service.balance(account)).toBe('50');
  });

  it('20 at once with one key: one is carried out', async () => {
    const { account, bank } = await service.funded('100');
    const key = randomUUID();
    const items = [{ legs: legs(account, bank, '3') }, { legs: legs(account, bank, '4') }];
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(items, key)));
    expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(await service.balance(account)).toBe('93');
  });

  it('takes 500 items and more than 64 KiB', async () => {
    const { account, bank } = await service.funded('499');
    const items = Array.from({ length: 500 }, () => ({
      legs: legs(account, bank, '1'),
      metadata: { a: 'x'.repeat(200) },
    }));
    const { status, body } = await send(items);
    expect(status).toBe(200);
    expect(results(body)).toEqual([...Array.from({ length: 499 }, () => 201), 'insufficient-funds']);
    expect(await service.balance(account)).toBe('0');
    expect((await send([...items, items[0]])).body).toMatchObject({ code: 'validation-failed' });
  });

  it.each([
    ['no items', [], '/items'],
    ['an item that does not balance', 'unbalanced', '/items/1/legs'],
    ['a wrong amount', 'zero', '/items/1/legs/0/amount/value'],
    ['an unknown currency', 'currency', '/items/1/legs/0/amount/currency'],
  ])('refuses %s as a whole', async (_name, what, pointer) => {
    const { account, bank } = await service.funded('10');
    const wrong: Record<string, unknown> = {
      unbalanced: [legs(account, bank, '2')[0], legs(account, bank, '1')[1]],
      zero: legs(account, bank, '0'),
      currency: legs(account, bank, '1', 'XXQ'),
    };
    const items = Array.isArray(what) ? what : [{ legs: legs(account, bank, '1') }, { legs: wrong[what] }];
    const answer = await send(items);
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map((error: any) => error.pointer)).toContain(pointer);
    expect(await service.balance(account)).toBe('10');
  });

  it('batches over the same accounts at once, in both directions, do not wait for each other', async () => {
    const { account: a } = await service.funded('10000');
    const { account: b } = await service.funded('10000');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        send(Array.from({ length: 30 }, (_, j) => ({ legs: (i + j) % 2 ? legs(a, b, '1') : legs(b, a, '1') }))),
      ),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(answers.flatMap(({ body }) => results(body)).every(result => result === 201)).toBe(true);
    expect(BigInt(await service.balance(a)) + BigInt(await service.balance(b))).toBe(20_000n);
  });
});

it('leaves the ledger in order', async () => {
  expect(await findViolations(process.env.SERVICE_OWNER_URL!)).toEqual([]);
});
