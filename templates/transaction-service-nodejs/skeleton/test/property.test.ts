import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { legs, startHarness, type Answer, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';
import { Model, type Posting } from './support/model.ts';

/**
 * Random histories against a model that knows nothing of SQL; if the two ever disagree about an answer or a balance, fast-check shrinks the
 * history to the shortest one that shows it.
 */

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const ACCOUNTS = 4;
const RUNS = Number(process.env.PROPERTY_RUNS ?? 40);

type Step =
  | { kind: 'one'; posting: Posting; key: number }
  | { kind: 'batch'; postings: Posting[]; key: number }
  | { kind: 'reverse'; which: number; value: number | undefined }
  | { kind: 'settle'; which: number; how: 'post' | 'void'; value: number | undefined }
  | { kind: 'status'; account: number; frozen: boolean };

const account = fc.nat(ACCOUNTS - 1);
const value = fc.integer({ min: 1, max: 60 });
const maybe = fc.option(value, { nil: undefined });
const posting: fc.Arbitrary<Posting> = fc.record({
  kind: fc.constantFrom('post' as const, 'post' as const, 'hold' as const),
  from: account,
  to: account,
  value,
});
const of = <T extends Step>(weight: number, step: { [K in keyof T]: fc.Arbitrary<T[K]> }) => ({
  weight,
  arbitrary: fc.record(step) as unknown as fc.Arbitrary<Step>,
});
const step = fc.oneof(
  of(6, { kind: fc.constant('one' as const), posting, key: fc.nat(20) }),
  of(2, {
    kind: fc.constant('batch' as const),
    postings: fc.array(posting, { minLength: 1, maxLength: 6 }),
    key: fc.nat(5),
  }),
  of(3, { kind: fc.constant('reverse' as const), which: fc.nat(20), value: maybe }),
  of(3, {
    kind: fc.constant('settle' as const),
    which: fc.nat(20),
    how: fc.constantFrom('post' as const, 'void' as const),
    value: maybe,
  }),
  of(1, { kind: fc.constant('status' as const), account, frozen: fc.boolean() }),
);

// The same for all, so that a repetition has the same body.
const pending = { expiresAt: new Date(Date.now() + 3_600_000).toISOString() };
const usd = (amount: number) => ({ amount: { value: String(amount), currency: 'USD' } });

function tell({ status, headers, body }: Answer): string {
  const answer = status < 300 ? 'ok' : body.code;
  return headers['idempotent-replayed'] ? `${answer} again` : answer;
}

function tellItems({ body, headers }: Answer): string {
  if (body.items === undefined) return body.code;
  const all = body.items.map((item: any) => item.problem?.code ?? 'ok').join();
  return headers['idempotent-replayed'] ? `${all} again` : all;
}

/** Accounts of one history, with what was written on them by the model's numbers. */
async function start() {
  const model = new Model(ACCOUNTS);
  const ids = await Promise.all(
    Array.from({ length: ACCOUNTS }, (_, i) => service.openAccount({ minAvailable: i === 0 ? null : '0' })),
  );
  const body = ({ kind, from, to, value: amount }: Posting) => ({
    legs: legs(ids[from]!, ids[to]!, String(amount)),
    ...(kind === 'hold' ? { pending } : {}),
  });
  const balances = async () =>
    Promise.all(
      ids.map(async id => {
        const { posted, pending: held, available, version } = (await service.get(`/v1/accounts/${id}/balance`)).body;
        return `${posted} ${held} ${available} v${version}`;
      }),
    );
  return { model, ids, body, balances };
}

it('random histories end as the model says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async history => {
      const { model, ids, body, balances } = await start();
      const transactions: string[] = [];
      const holds: string[] = [];
      const remember = (posting: Posting, id: string) => (posting.kind === 'hold' ? holds : transactions).push(id);
      // The bank funds everyone first, so that there is something to move.
      const steps: Step[] = [1, 2, 3].map(to => ({
        kind: 'one',
        posting: { kind: 'post', from: 0, to, value: 50 },
        key: 100 + to,
      }));
      for (const move of [...steps, ...history]) {
        if (move.kind === 'one') {
          const key = `${ids[0]}:${move.key}`;
          const answer = await service.post('/v1/transactions', body(move.posting), { 'idempotency-key': key });
          expect(tell(answer)).toBe(model.once(key, JSON.stringify(move.posting), () => model.decide(move.posting)));
          if (answer.status === 201) remember(move.posting, answer.body.id);
        } else if (move.kind === 'batch') {
          const key = `${ids[0]}:batch:${move.key}`;
          const items = move.postings.map(body);
          const answer = await service.post('/v1/transactions:batch', { items }, { 'idempotency-key': key });
          expect(tellItems(answer)).toBe(
            model.once(key, JSON.stringify(move.postings), () => model.batch(move.postings)),
          );
          if (answer.status !== 200 || answer.headers['idempotent-replayed']) continue;
          answer.body.items.forEach((item: any, i: number) => {
            if (item.transaction) remember(move.postings[i]!, item.transaction.id);
          });
        } else if (move.kind === 'reverse') {
          const which = move.which % transactions.length;
          const part = move.value === undefined ? {} : usd(move.value);
          const answer = await service.post(`/v1/transactions/${transactions[which]}/reversal`, part);
          expect(tell(answer)).toBe(model.reverse(which, move.value));
        } else if (move.kind === 'settle') {
          if (holds.length === 0) continue;
          const which = move.which % holds.length;
          const part = move.how === 'post' && move.value !== undefined ? usd(move.value) : {};
          const answer = await service.post(`/v1/transactions/${holds[which]}/${move.how}`, part);
          expect(tell(answer)).toBe(model.settle(which, move.how, move.value));
          if (answer.status === 201 && move.how === 'post') transactions.push(answer.body.id);
        } else {
          const status = move.frozen ? 'frozen' : 'open';
          await service.post(`/v1/accounts/${ids[move.account]}/status`, { status, reason: 'model' });
          if (move.frozen) model.frozen.add(move.account);
          else model.frozen.delete(move.account);
        }
      }
      expect(await balances()).toEqual(model.balances());
    }),
    { numRuns: RUNS },
  );
  expect(await findViolations(process.env.SERVICE_OWNER_URL!)).toEqual([]);
}, 300_000);

it('requests at once end as some order of them would: nothing is lost, doubled or overdrawn', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ posting, key: fc.nat(15) }), { minLength: 5, maxLength: 60 }),
      async requests => {
        const { model, ids, body, balances } = await start();
        for (const to of [1, 2, 3]) {
          const funding: Posting = { kind: 'post', from: 0, to, value: 50 };
          await service.post('/v1/transactions', body(funding));
          model.decide(funding);
        }
        const answers = await Promise.all(
          requests.map(({ posting: one, key }) =>
            service.post('/v1/transactions', body(one), { 'idempotency-key': `${ids[0]}:${key}` }),
          ),
        );
        // Of each key exactly one request was carried out or refused; the same ones repeat it, the others are told.
        const done = new Map<string, Posting>();
        const decidedBy = new Map<number, string>();
        answers.forEach((answer, i) => {
          const { key, posting: one } = requests[i]!;
          const told = tell(answer);
          if (told === 'idempotency-mismatch') return;
          const request = JSON.stringify(one);
          expect(decidedBy.get(key) ?? request).toBe(request);
          decidedBy.set(key, request);
          if (told === 'ok') done.set(answer.body.id, one);
        });
        for (const { key } of requests) expect(decidedBy.has(key)).toBe(true);
        // What was accepted adds up; nobody was let below zero on the way, whatever the order (the invariants tell).
        const sums = model.posted.map((posted, i) =>
          [...done.values()].reduce(
            (sum, one) =>
              one.kind === 'hold' ? sum : sum + (one.to === i ? one.value : 0) - (one.from === i ? one.value : 0),
            posted,
          ),
        );
        const held = sums.map((_, i) =>
          [...done.values()].reduce((sum, one) => (one.kind === 'hold' && one.from === i ? sum + one.value : sum), 0),
        );
        const seen = (await balances()).map(text => text.split(' ').slice(0, 2).map(Number));
        expect(seen).toEqual(sums.map((posted, i) => [posted, held[i]]));
        seen.slice(1).forEach(([posted, pendingNow]) => expect(posted! - pendingNow!).toBeGreaterThanOrEqual(0));
      },
    ),
    { numRuns: RUNS },
  );
  expect(await findViolations(process.env.SERVICE_OWNER_URL!)).toEqual([]);
}, 300_000);
