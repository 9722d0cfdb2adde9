import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startHarness, type Answer, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness({ DATABASE_POOL_SIZE: '20' });
});
afterAll(() => service.close());

const count = (answers: Answer[]) => {
  const result: Record<string, number> = {};
  for (const { status, body } of answers) {
    const name = status < 400 ? String(status) : `${status} ${body.code}`;
    result[name] = (result[name] ?? 0) + 1;
  }
  return result;
};

it('200 posts at once on funds for 100: exactly 100 pass', async () => {
  const { account, bank } = await service.funded('100');
  const answers = await Promise.all(Array.from({ length: 200 }, () => service.transfer(account, bank, '1')));
  expect(count(answers)).toEqual({ 201: 100, '422 insufficient-funds': 100 });
  expect(await service.balance(account)).toBe('0');
});

it('transfers in a ring, in both directions at once, do not wait for each other', async () => {
  const ring = await Promise.all(Array.from({ length: 5 }, async () => (await service.funded('1000')).account));
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) => {
      const from = i % 5;
      const to = (from + (i % 2 === 0 ? 1 : 4)) % 5;
      return service.transfer(ring[from]!, ring[to]!, '1');
    }),
  );
  expect(count(answers)).toEqual({ 201: 300 });
  const balances = await Promise.all(ring.map(account => service.balance(account)));
  expect(balances.reduce((sum, value) => sum + BigInt(value), 0n)).toBe(5000n);
});

it('50 requests at once with one key: one is carried out, 49 repeat it', async () => {
  const { account, bank } = await service.funded('100');
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 50 }, () => service.transfer(account, bank, '7', key)));
  expect(count(answers)).toEqual({ 201: 1, 200: 49 });
  expect(new Set(answers.map(answer => JSON.stringify(answer.body))).size).toBe(1);
  expect(await service.balance(account)).toBe('93');
});

it('one key for two different requests at once: one is carried out, the other is told', async () => {
  const { account, bank } = await service.funded('100');
  const key = randomUUID();
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => service.transfer(account, bank, String(1 + (i % 2)), key)),
  );
  const ids = new Set(answers.filter(answer => answer.status < 300).map(answer => answer.body.id));
  expect(ids.size).toBe(1);
  expect(count(answers)['422 idempotency-mismatch']).toBe(20);
  expect(['98', '99']).toContain(await service.balance(account));
});

it('20 partial reversals at once never take back more than there was', async () => {
  const { account, bank } = await service.funded('100');
  const { id } = (await service.transfer(account, bank, '50')).body;
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      service.post(`/v1/transactions/${id}/reversal`, { amount: { value: '10', currency: 'USD' } }),
    ),
  );
  expect(count(answers)).toEqual({ 201: 5, '409 already-reversed': 15 });
  expect(await service.balance(account)).toBe('100');
});

it('full reversals at once: one wins', async () => {
  const { account, bank } = await service.funded('100');
  const { id } = (await service.transfer(account, bank, '50')).body;
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => service.post(`/v1/transactions/${id}/reversal`, {})),
  );
  expect(count(answers)).toEqual({ 201: 1, '409 already-reversed': 9 });
});

it('no posting slips past a freeze that was answered', async () => {
  const { account, bank } = await service.funded('1000');
  const frozenAt = { version: -1 };
  const posts = Array.from({ length: 60 }, () => service.transfer(account, bank, '1'));
  const freeze = service
    .post(`/v1/accounts/${account}/status`, { status: 'frozen', reason: 'fraud' })
    .then(async answer => {
      frozenAt.version = (await service.get(`/v1/accounts/${account}/balance`)).body.version;
      return answer;
    });
  await Promise.all([...posts, freeze]);
  expect((await service.get(`/v1/accounts/${account}/balance`)).body.version).toBe(frozenAt.version);
});

it('leaves the ledger in order', async () => {
  expect(await findViolations(process.env.SERVICE_OWNER_URL!)).toEqual([]);
});
