import fc from 'fast-check';
import {
  BURN_RULES,
  budgetOf,
  burnRate,
  burnThreshold,
  compliance,
  errorBudget,
  evaluateBurn,
  remainingBudget,
  scaledBurnRate,
  type BurnCounts,
} from './budget';
import type { BurnWindow } from './api';
import { evaluateObjective } from './slo';

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

describe('budgetOf', () => {
  it('gives events and minutes', () => {
    // 28 days are 40,320 minutes; 0.1 % of them are 40.32. A quarter of the
    // 1,000 allowed events is spent, so is a quarter of the minutes.
    expect(budgetOf(999_750, 1_000_000, 99.9, 40_320)).toEqual({
      allowedEvents: 1000,
      badEvents: 250,
      remainingEvents: 750,
      allowedMinutes: 40.32,
      spentMinutes: 10.08,
      remainingMinutes: expect.closeTo(30.24, 9),
      remaining: 0.75,
    });
  });

  it('has nothing to give at 100 %', () => {
    expect(budgetOf(10, 10, 100, 1440)).toMatchObject({
      allowedEvents: 0,
      allowedMinutes: 0,
      remainingMinutes: 0,
      remaining: 1,
    });
    // One of ten requests failed: 144 of 1,440 minutes that were not allowed.
    expect(budgetOf(9, 10, 100, 1440)).toMatchObject({
      remainingEvents: -1,
      spentMinutes: expect.closeTo(144, 9),
      remaining: 0,
    });
    expect(budgetOf(0, 0, 99.9, 1440)).toBeUndefined();
  });

  it('is spent in minutes exactly when it is spent in events', () => {
    fc.assert(
      fc.property(counts, target, ({ good, valid }, t) => {
        fc.pre(valid > 0 && t < 100);
        const budget = budgetOf(good, valid, t, 40_320)!;
        expect(budget.remaining).toBeLessThanOrEqual(1);
        expect(budget.remainingMinutes / budget.allowedMinutes).toBeCloseTo(
          budget.remaining,
          6,
        );
      }),
    );
  });
});

describe('burn rates', () => {
  // share of the budget, hours, days of the objective, burn rate: by hand
  it.each([
    [0.02, 1, 28, 13.44],
    [0.05, 6, 28, 5.6],
    [0.1, 72, 28, 2.8 / 3],
    [0.02, 1, 30, 14.4],
    [0.05, 6, 30, 6],
    [0.1, 72, 30, 1],
    [0.02, 1, 7, 3.36],
    [0.05, 6, 7, 1.4],
    [0.1, 72, 7, 0.7 / 3],
  ])('%d of the budget in %d h of %d days is %d', (share, h, days, rate) => {
    expect(scaledBurnRate(share, h * 60, days)).toBeCloseTo(rate, 12);
  });

  it('asks for 1.344 % errors: target 99.9 %, 28 days, 2 % in 1 h', () => {
    const [fast] = evaluateBurn(
      { target: 99.9, windowDays: 28 },
      everywhere({ valid: 1, bad: 0 }),
    ).rules;
    expect(fast).toMatchObject({ name: 'fast', severity: 'page' });
    expect(fast.threshold).toBe(13.44);
    expect(fast.badShareThreshold * 100).toBeCloseTo(1.344, 12);
    // 5 / 0.01344 = 372.02…
    expect(fast.minimumValid).toBe(373);
  });

  it('never asks for more than everything, nor for less than a rate that matters', () => {
    const [fast, slow, creeping] = BURN_RULES;
    // 90 %: the rate of a total failure is 10, below 13.44.
    expect(burnThreshold(fast, 90, 28)).toBeCloseTo(10, 12);
    expect(burnThreshold(slow, 90, 28)).toBeCloseTo(5.6, 12);
    expect(burnThreshold(creeping, 99.9, 7)).toBe(0.9);
    expect(burnThreshold(fast, 99.9, 1)).toBe(0.9);
    expect(burnThreshold(fast, 100, 28)).toBeNull();
  });

  it('measures', () => {
    expect(burnRate(20, 1000, 99.9)).toBeCloseTo(20, 12);
    expect(burnRate(1, 1000, 99.9)).toBeCloseTo(1, 12);
    expect(burnRate(0, 1000, 99.9)).toBe(0);
    expect(burnRate(0, 0, 99.9)).toBeNull();
    expect(burnRate(5, 1000, 100)).toBeNull();
  });

  const base: BurnCounts = {
    valid: 0,
    bad: 0,
    observedMinutes: 5,
    maintenanceMinutes: 0,
  };
  function everywhere(
    over: Partial<BurnCounts>,
  ): Record<BurnWindow, BurnCounts> {
    const one = { ...base, ...over };
    return { '5m': one, '30m': one, '1h': one, '6h': one, '3d': one };
  }
  const statuses = (
    windows: Partial<Record<BurnWindow, [valid: number, bad: number]>>,
    objective = { target: 99.9, windowDays: 28 },
  ) => {
    const all = everywhere({ valid: 100_000 });
    for (const [window, [valid, bad]] of Object.entries(windows)) {
      all[window as BurnWindow] = { ...base, valid, bad };
    }
    const { rules, alert } = evaluateBurn(objective, all);
    return [...rules.map(rule => rule.status), alert];
  };

  it.each<[string, Parameters<typeof statuses>, unknown[]]>([
    ['nothing wrong', [{}], ['quiet', 'quiet', 'quiet', null]],
    [
      'just at the fast threshold in both windows',
      [{ '1h': [100_000, 1344], '5m': [100_000, 1344] }],
      ['firing', 'quiet', 'quiet', 'page'],
    ],
    [
      'just below it',
      [{ '1h': [100_000, 1343], '5m': [100_000, 100_000] }],
      ['quiet', 'quiet', 'quiet', null],
    ],
    [
      'over: the short window has recovered',
      [{ '1h': [100_000, 5000], '5m': [100_000, 10] }],
      ['quiet', 'quiet', 'quiet', null],
    ],
    [
      'just begun: only the short window',
      [{ '1h': [100_000, 100], '5m': [10_000, 1000] }],
      ['quiet', 'quiet', 'quiet', null],
    ],
    [
      'slow burn',
      [{ '6h': [100_000, 600], '30m': [100_000, 600] }],
      ['quiet', 'firing', 'quiet', 'page'],
    ],
    [
      'creeping burn',
      [{ '3d': [100_000, 94], '6h': [100_000, 94] }],
      ['quiet', 'quiet', 'firing', 'ticket'],
    ],
    [
      'one failure of a quiet service',
      [{ '1h': [20, 1], '5m': [2, 1] }],
      ['low-traffic', 'quiet', 'quiet', null],
    ],
    [
      'no requests in the short window',
      [{ '1h': [100_000, 50_000], '5m': [0, 0] }],
      ['no-data', 'quiet', 'quiet', null],
    ],
    [
      'a window of one day is shorter than three',
      [{}, { target: 99.9, windowDays: 1 }],
      ['quiet', 'quiet', 'not-applicable', null],
    ],
    [
      'target of 100 %: one bad event, still there',
      [
        { '1h': [10, 1], '5m': [2, 1] },
        { target: 100, windowDays: 28 },
      ],
      ['firing', 'quiet', 'quiet', 'page'],
    ],
    [
      'a total failure at a low target',
      [
        { '1h': [100, 100], '5m': [10, 10] },
        { target: 60, windowDays: 28 },
      ],
      ['firing', 'quiet', 'quiet', 'page'],
    ],
  ])('%s', (_, args, expected) => {
    expect(statuses(...args)).toEqual(expected);
  });

  it('leaves planned downtime out of what should have been observed', () => {
    const { burn } = evaluateBurn(
      { target: 99, windowDays: 28 },
      everywhere({ valid: 10, observedMinutes: 3, maintenanceMinutes: 2 }),
    );
    expect(burn[0]).toMatchObject({ window: '5m', coverage: 1 });
    expect(burn[1].coverage).toBeCloseTo(3 / 28, 12);
  });

  it('is monotone: more bad events never quieten a rule', () => {
    const rank = { page: 2, ticket: 1 };
    const events = fc.tuple(fc.nat(100_000), fc.nat(100_000));
    fc.assert(
      fc.property(
        fc.tuple(events, events, events, events, events),
        fc.integer({ min: 50_000, max: 99_999 }),
        fc.constantFrom(1, 7, 28, 30),
        fc.nat(1000),
        (windows, thousandths, windowDays, more) => {
          const objective = { target: thousandths / 1000, windowDays };
          const build = (extra: number) => {
            const all = everywhere({});
            (Object.keys(all) as BurnWindow[]).forEach((window, i) => {
              const valid = Math.max(...windows[i]);
              const bad = Math.min(valid, Math.min(...windows[i]) + extra);
              all[window] = { ...base, valid, bad };
            });
            return evaluateBurn(objective, all).alert;
          };
          const before = build(0);
          const after = build(more);
          expect(after ? rank[after] : 0).toBeGreaterThanOrEqual(
            before ? rank[before] : 0,
          );
        },
      ),
    );
  });
});
