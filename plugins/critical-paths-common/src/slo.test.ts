import fc from 'fast-check';
import type { ObjectiveResult } from './api';
import { histogramOf } from './histogram';
import type { CriticalPathObjective } from './kind';
import {
  compliance,
  describeObjective,
  errorBudget,
  evaluateObjective,
  evaluateState,
  remainingBudget,
  type ApplicationFeed,
  type StateInput,
} from './slo';

const target = fc
  .integer({ min: 1, max: 100_000 })
  .map(thousandths => thousandths / 1000);
const counts = fc
  .tuple(fc.nat(10_000_000), fc.nat(10_000_000))
  .map(([a, b]) => ({ good: Math.min(a, b), valid: Math.max(a, b) }));

describe('budget arithmetic', () => {
  // valid, good, target, allowed, remaining: worked out by hand
  it.each([
    [1_000_000, 999_000, 99.9, 1000, 0],
    [1_000_000, 999_500, 99.9, 1000, 0.5],
    [1_000_000, 1_000_000, 99.9, 1000, 1],
    [1_000_000, 998_000, 99.9, 1000, -1],
    [1000, 980, 95, 50, 0.6],
    [3, 3, 99.95, 0.0015, 1],
    [10_000, 9_999, 100, 0, 0],
    [10_000, 10_000, 100, 0, 1],
    [28, 27, 50, 14, 13 / 14],
  ])(
    '%d valid, %d good, target %d %%: %d may fail, %d left',
    (valid, good, targetPercent, allowed, remaining) => {
      expect(errorBudget(valid, targetPercent)).toBeCloseTo(allowed, 12);
      expect(remainingBudget(good, valid, targetPercent)).toBeCloseTo(
        remaining,
        12,
      );
    },
  );

  it('says nothing about nothing', () => {
    expect(compliance(0, 0)).toBeUndefined();
    expect(remainingBudget(0, 0, 99.9)).toBeUndefined();
  });

  it('is bounded and monotone', () => {
    fc.assert(
      fc.property(counts, target, fc.nat(1000), ({ good, valid }, t, more) => {
        fc.pre(valid > 0);
        const remaining = remainingBudget(good, valid, t)!;
        expect(remaining).toBeLessThanOrEqual(1);
        const worse = remainingBudget(Math.max(0, good - more), valid, t)!;
        expect(worse).toBeLessThanOrEqual(remaining);
        const share = compliance(good, valid)!;
        expect(share).toBeGreaterThanOrEqual(0);
        expect(share).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('agrees with itself: met exactly when the budget is not overspent', () => {
    fc.assert(
      fc.property(counts, target, ({ good, valid }, t) => {
        fc.pre(valid > 0 && t < 100);
        const result = evaluateObjective(
          { sli: 'availability', target: t, windowDays: 28 },
          { good, valid, histogram: {}, withinThreshold: {} },
          1000,
        );
        expect(result.met).toBe(result.budgetRemaining! >= 0);
      }),
    );
  });

  it('gives the same figure however the window is split', () => {
    fc.assert(
      fc.property(
        fc.array(counts, { minLength: 1, maxLength: 20 }),
        target,
        (parts, t) => {
          const sum = (list: { good: number; valid: number }[]) =>
            list.reduce(
              (a, b) => ({ good: a.good + b.good, valid: a.valid + b.valid }),
              { good: 0, valid: 0 },
            );
          const whole = sum(parts);
          const half = Math.floor(parts.length / 2);
          const reversed = sum([
            sum(parts.slice(half)),
            sum(parts.slice(0, half)),
          ]);
          expect(remainingBudget(reversed.good, reversed.valid, t)).toEqual(
            remainingBudget(whole.good, whole.valid, t),
          );
        },
      ),
    );
  });
});

describe('evaluateObjective', () => {
  const base = { histogram: {}, withinThreshold: {} };

  it('judges availability', () => {
    expect(
      evaluateObjective(
        { sli: 'availability', target: 99.9, windowDays: 28 },
        { ...base, valid: 10_000, good: 9_995 },
        28 * 1440,
      ),
    ).toEqual({
      objective: { sli: 'availability', target: 99.9, windowDays: 28 },
      actual: 99.95,
      met: true,
      budgetRemaining: 0.5,
      valid: 10_000,
      good: 9_995,
      coverage: 1,
    });
  });

  it('judges latency by exact counts within the threshold', () => {
    const objective: CriticalPathObjective = {
      sli: 'latency',
      target: 95,
      thresholdMs: 300,
      windowDays: 7,
    };
    expect(
      evaluateObjective(
        objective,
        { ...base, valid: 1000, good: 1000, withinThreshold: { 300: 940 } },
        7 * 720,
      ),
    ).toMatchObject({
      actual: 94,
      met: false,
      budgetRemaining: -0.2,
      good: 940,
      coverage: 0.5,
    });
  });

  it('estimates from the histogram what was counted before the threshold was known', () => {
    const histogram = histogramOf([
      ...Array(90).fill(100),
      ...Array(10).fill(1000),
    ]);
    const result = evaluateObjective(
      { sli: 'latency', target: 80, thresholdMs: 300, windowDays: 1 },
      {
        valid: 100,
        good: 100,
        histogram,
        withinThreshold: { 300: 45 },
        thresholdValid: { 300: 50 },
      },
      60,
    );
    expect(result).toMatchObject({ good: 90, met: true, estimated: true });
  });

  it('judges throughput per observed minute, without a budget', () => {
    const objective: CriticalPathObjective = {
      sli: 'throughput',
      target: 10,
      windowDays: 1,
    };
    const counted = { ...base, valid: 900, good: 900 };
    expect(evaluateObjective(objective, counted, 60)).toMatchObject({
      actual: 15,
      met: true,
      budgetRemaining: null,
    });
    expect(evaluateObjective(objective, counted, 100)).toMatchObject({
      actual: 9,
      met: false,
    });
    expect(evaluateObjective(objective, counted, 0)).toMatchObject({
      actual: null,
      met: null,
    });
  });

  it('is undecided without requests', () => {
    expect(
      evaluateObjective(
        { sli: 'availability', target: 99, windowDays: 1 },
        { ...base, valid: 0, good: 0 },
        1440,
      ),
    ).toMatchObject({ actual: null, met: null, budgetRemaining: null });
  });
});

describe('evaluateState', () => {
  const limits = { staleAfterSeconds: 300, quietAfterSeconds: 900 };
  const feed = (over: Partial<ApplicationFeed> = {}): ApplicationFeed => ({
    label: 'component:default/ledger',
    steps: ['book'],
    known: true,
    ageSeconds: 30,
    quietSeconds: 45,
    ...over,
  });
  const result = (budgetRemaining: number | null): ObjectiveResult => ({
    objective: { sli: 'availability', target: 99.9, windowDays: 28 },
    actual: budgetRemaining === null ? null : 100 - 0.1 * (1 - budgetRemaining),
    met: budgetRemaining === null ? null : budgetRemaining >= 0,
    budgetRemaining,
    valid: 1,
    good: 1,
  });
  const input = (over: Partial<StateInput> = {}): StateInput => ({
    steps: ['book'],
    feeds: [feed()],
    validInWindow: 100,
    objectives: [result(0.8)],
    limits,
    ...over,
  });

  it.each<[string, Partial<StateInput>, string, string | undefined]>([
    ['all well', {}, 'healthy', undefined],
    ['no objective', { objectives: [] }, 'no-objective', 'no objective is set'],
    [
      'little budget',
      { objectives: [result(0.1)] },
      'at-risk',
      '10 % of the error budget left: availability 99.9 % over 28 days',
    ],
    [
      'budget just spent',
      { objectives: [result(0)] },
      'exhausted',
      'error budget spent: availability 99.9 % over 28 days, measured 99.9 %',
    ],
    [
      'overspent',
      { objectives: [result(0.9), result(-3)] },
      'exhausted',
      undefined,
    ],
    [
      'missed throughput',
      {
        objectives: [
          {
            objective: { sli: 'throughput', target: 10, windowDays: 1 },
            actual: 3,
            met: false,
            budgetRemaining: null,
            valid: 1,
            good: 1,
          },
        ],
      },
      'at-risk',
      'missed: throughput 10 per minute over 1 day, measured 3',
    ],
    [
      'old feed',
      { feeds: [feed({ ageSeconds: 301, lastError: 'timeout' })] },
      'stale',
      'component:default/ledger was last measured 5 min ago: timeout',
    ],
    [
      'a feed just in time',
      { feeds: [feed({ ageSeconds: 300 })] },
      'healthy',
      undefined,
    ],
    ['broken age', { feeds: [feed({ ageSeconds: NaN })] }, 'stale', undefined],
    [
      'quiet feed',
      { feeds: [feed({ quietSeconds: 3600 })] },
      'stale',
      'no requests at step book for 60 min',
    ],
    [
      'never measured',
      {
        feeds: [
          feed({
            ageSeconds: undefined,
            quietSeconds: undefined,
            lastError: 'bad key',
          }),
        ],
      },
      'unknown',
      'component:default/ledger was never measured: bad key',
    ],
    [
      'unknown component',
      {
        feeds: [
          feed(),
          feed({ label: 'component:default/ghost', known: false }),
        ],
      },
      'unknown',
      'the catalog has no component:default/ghost',
    ],
    [
      'unknown component and nothing measured',
      {
        feeds: [
          feed({
            label: 'component:default/ghost',
            known: false,
            quietSeconds: undefined,
          }),
        ],
        validInWindow: 0,
        objectives: [result(null)],
      },
      'unknown',
      'the catalog has no component:default/ghost',
    ],
    ['nothing serves it', { feeds: [] }, 'unknown', 'no application serves it'],
    [
      'empty window',
      { validInWindow: 0, objectives: [result(null)] },
      'no-data',
      'no requests in the window',
    ],
    [
      'undecided objective',
      { objectives: [result(null)] },
      'no-data',
      'no requests in the last 28 days to judge availability 99.9 % over 28 days',
    ],
    [
      'a step without data',
      {
        steps: ['book', 'notify'],
        feeds: [
          feed(),
          feed({ label: 'n', steps: ['notify'], quietSeconds: undefined }),
        ],
      },
      'unknown',
      'step notify has no data',
    ],
    [
      'a joined application without requests beside one that has them',
      { feeds: [feed(), feed({ label: 'new', quietSeconds: undefined })] },
      'healthy',
      undefined,
    ],
    [
      'spent budget and a dead feed',
      { feeds: [feed({ ageSeconds: 9999 })], objectives: [result(-1)] },
      'exhausted',
      undefined,
    ],
  ])('%s', (_, over, state, reason) => {
    const outcome = evaluateState(input(over));
    expect(outcome.state).toBe(state);
    expect(outcome.reasons.length === 0).toBe(state === 'healthy');
    expect(outcome.reasons[0]).toBe(reason ?? outcome.reasons[0]);
  });

  it('is never healthy when anything is missing, late or spent', () => {
    const seconds = fc.option(fc.integer({ min: 0, max: 5000 }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            known: fc.boolean(),
            ageSeconds: seconds,
            quietSeconds: seconds,
            steps: fc.constantFrom<string[]>(['a'], ['b'], ['a', 'b']),
          }),
          { maxLength: 5 },
        ),
        fc.array(
          fc.option(fc.double({ min: -2, max: 1, noNaN: true }), { nil: null }),
          { maxLength: 3 },
        ),
        fc.nat(3),
        (feeds, budgets, validInWindow) => {
          const outcome = evaluateState({
            steps: ['a', 'b'],
            feeds: feeds.map((f, i) => ({ label: `f${i}`, ...f })),
            validInWindow,
            objectives: budgets.map(result),
            limits,
          });
          const everythingIsFine =
            validInWindow > 0 &&
            budgets.length > 0 &&
            budgets.every(b => b !== null && b >= 0.25) &&
            ['a', 'b'].every(step =>
              feeds.some(
                f =>
                  f.steps.includes(step) &&
                  f.quietSeconds !== undefined &&
                  f.quietSeconds <= 900,
              ),
            ) &&
            feeds.every(
              f => f.known && f.ageSeconds !== undefined && f.ageSeconds <= 300,
            );
          expect(outcome.state === 'healthy').toBe(everythingIsFine);
          expect(outcome.reasons.length === 0).toBe(everythingIsFine);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('describeObjective', () => {
  it.each<[CriticalPathObjective, string]>([
    [
      { sli: 'availability', target: 99.95, windowDays: 28 },
      'availability 99.95 % over 28 days',
    ],
    [
      { sli: 'latency', target: 95, thresholdMs: 300, windowDays: 1 },
      'latency 95 % within 300 ms over 1 day',
    ],
    [
      { sli: 'throughput', target: 5, windowDays: 7 },
      'throughput 5 per minute over 7 days',
    ],
  ])('%j', (objective, words) => {
    expect(describeObjective(objective)).toBe(words);
  });
});
