import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startHarness, usd, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';

let service: Harness;
let other: Harness;
beforeAll(async () => {
  // Two replicas, so that not all contention is resolved within one queue.
  [service, other] = await Promise.all([
    startHarness({ DECISION_BATCH_SIZE: '16' }),
    startHarness({ DECISION_BATCH_SIZE: '1', DECISION_CONCURRENCY: '8' }),
  ]);
});
afterAll(async () => {
  await service.close();
  await other.close();
});

const either = (i: number) => (i % 2 === 0 ? service : other);

it('200 at once on funds for 100 approve exactly 100', async () => {
  const account = await service.openAccount('100');
  const cards = await Promise.all(Array.from({ length: 10 }, () => service.addCard(account)));
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => either(i).authorize(cards[i % 10]!.token, '1')),
  );
  const codes = answers.map(({ body }) => body.reasonCode).sort();
  expect(codes).toEqual([...Array(100).fill('00'), ...Array(100).fill('51')]);
  expect(await service.account(account)).toMatchObject({ held: '100', openToBuy: '0', overdrawn: false });
});

it('limits hold exactly under contention: amounts of a day, count of an hour', async () => {
  const byAmount = await service.funded('100000', { limits: { perDay: '250' } });
  const byCount = await service.funded('100000', { limits: { countPerHour: 7 } });
  const run = (token: string) => Promise.all(Array.from({ length: 60 }, (_, i) => either(i).authorize(token, '10')));
  const [amounts, counts] = await Promise.all([run(byAmount.token), run(byCount.token)]);
  expect(amounts.filter(({ body }) => body.reasonCode === '00')).toHaveLength(25);
  expect(amounts.filter(({ body }) => body.reasonCode === '61')).toHaveLength(35);
  expect(counts.filter(({ body }) => body.reasonCode === '00')).toHaveLength(7);
  expect(counts.filter(({ body }) => body.reasonCode === '65')).toHaveLength(53);
});

it('captures, reversals and increments of one authorization never take more than there is', async () => {
  const { account, token } = await service.funded('1000');
  const id = await service.approved(token, '100');
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      either(i).act(id, i % 3 === 0 ? 'reversals' : 'captures', { amount: usd('3') }),
    ),
  );
  const done = answers.filter(({ status }) => status === 201);
  // 33 threes fit into 100; each of the rest is refused.
  expect(done).toHaveLength(33);
  const { body } = await service.get(`/v1/authorizations/${id}`);
  expect(Number(body.captured) + Number(body.reversed) + Number(body.held)).toBe(100);
  expect(await service.account(account)).toMatchObject({ held: body.held, unposted: body.captured });
});

it('a card that is frozen meanwhile, and a rule set that changes, never let an old plan through', async () => {
  const { card, token } = await service.funded('1000000');
  const before = Promise.all(Array.from({ length: 40 }, (_, i) => either(i).authorize(token, '1')));
  const frozen = await service.post(`/v1/cards/${card}/status`, { status: 'frozen', reason: 'stolen' });
  expect(frozen.status).toBe(201);
  const after = await Promise.all(Array.from({ length: 20 }, (_, i) => either(i).authorize(token, '1')));
  expect(new Set(after.map(({ body }) => body.reasonCode))).toEqual(new Set(['62']));
  for (const { status, body } of await before) {
    expect(status).toBe(201);
    expect(['00', '62']).toContain(body.reasonCode);
  }
});

it('leaves everything in order', async () => {
  expect(await findViolations(process.env.SERVICE_OWNER_URL!)).toEqual([]);
});
