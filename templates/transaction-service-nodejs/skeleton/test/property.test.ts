import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startHarness, type Answer, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';

/**
 * Random histories against a model of twenty lines. The model knows nothing of SQL; if service and model ever disagree about an
 * answer or a balance, fast-check shrinks the history to the shortest one that shows it.
 */

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const ACCOUNTS = 4;

type Step =
  | { kind: 'post'; from: number; to: number; value: number; key: number }
  | { kind: 'reverse'; which: number; value: number | undefined }
  | { kind: 'status'; account: number; frozen: boolean };

const account = fc.nat(ACCOUNTS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('post' as const),
      from: account,
      to: account,
      value: fc.integer({ min: 1, max: 60 }),
      key: fc.nat(30),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('reverse' as const),
      which: fc.nat(20),
      value: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('status' as const), account, frozen: fc.boolean() }) },
);

class Model {
  // Account 0 is the bank and may go below zero; the others may not.
  readonly balances = Array.from({ length: ACCOUNTS }, () => 0);
  readonly frozen = new Set<number>();
  readonly posted: { from: number; to: number; left: number }[] = [];
  readonly keys = new Map<number, { request: string; answer: string }>();

  move(from: number, to: number, value: number): string {
    if (this.frozen.has(from) || this.frozen.has(to)) return 'account-frozen';
    if (from !== to && from !== 0 && this.balances[from]! - value < 0) return 'insufficient-funds';
    this.balances[from]! -= value;
    this.balances[to]! += value;
    return 'ok';
  }

  post(from: number, to: number, value: number, key: number): string {
    const request = `${from} ${to} ${value}`;
    const known = this.keys.get(key);
    if (known) return known.request === request ? `${known.answer} again` : 'idempotency-mismatch';
    const answer = this.move(from, to, value);
    if (answer === 'ok') this.posted.push({ from, to, left: value });
    this.keys.set(key, { request, answer });
    return answer;
  }

  reverse(which: number, value?: number): string {
    const original = this.posted[which]!;
    const amount = value ?? original.left;
    if (original.left === 0 || amount > original.left) return 'already-reversed';
    const answer = this.move(original.to, original.from, amount);
    if (answer === 'ok') original.left -= amount;
    return answer;
  }
}

function tell({ status, headers, body }: Answer): string {
  const answer = status < 300 ? 'ok' : body.code;
  return headers['idempotent-replayed'] ? `${answer} again` : answer;
}

it('random histories end as the model says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async history => {
      const model = new Model();
      const ids = await Promise.all(
        Array.from({ length: ACCOUNTS }, (_, i) => service.openAccount({ minAvailable: i === 0 ? null : '0' })),
      );
      const posted: string[] = [];
      const run = `${ids[0]}:`;
      // The bank funds everyone first, so that there is something to move.
      const steps: Step[] = [1, 2, 3].map(to => ({ kind: 'post', from: 0, to, value: 50, key: 100 + to }));
      for (const move of [...steps, ...history]) {
        if (move.kind === 'post') {
          const answer = await service.transfer(
            ids[move.from]!,
            ids[move.to]!,
            String(move.value),
            `${run}${move.key}`,
          );
          expect(tell(answer)).toBe(model.post(move.from, move.to, move.value, move.key));
          if (answer.status === 201) posted.push(answer.body.id);
        } else if (move.kind === 'reverse') {
          const which = move.which % posted.length;
          const body = move.value === undefined ? {} : { amount: { value: String(move.value), currency: 'USD' } };
          const answer = await service.post(`/v1/transactions/${posted[which]}/reversal`, body);
          expect(tell(answer)).toBe(model.reverse(which, move.value));
        } else {
          const status = move.frozen ? 'frozen' : 'open';
          await service.post(`/v1/accounts/${ids[move.account]}/status`, { status, reason: 'model' });
          if (move.frozen) model.frozen.add(move.account);
          else model.frozen.delete(move.account);
        }
      }
      const balances = await Promise.all(ids.map(id => service.balance(id)));
      expect(balances).toEqual(model.balances.map(String));
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 40) },
  );
  expect(await findViolations(process.env.SERVICE_OWNER_URL!)).toEqual([]);
});
