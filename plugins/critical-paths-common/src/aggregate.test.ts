import fc from 'fast-check';
import { aggregateSteps, stepFactors, type StepCounts } from './aggregate';
import { AGGREGATIONS } from './kind';

const step = (
  name: string,
  valid: number,
  good: number,
  weight = 1,
): StepCounts => ({ name, valid, good, weight });

describe('aggregateSteps', () => {
  // 0.99, 0.95 and 0.9 by hand: product 0.84645; (3 x 0.99 + 0.95 + 0.9) / 5 = 0.964.
  const steps = [
    step('accept', 1000, 990, 3),
    step('book', 2000, 1900),
    step('notify', 500, 450),
  ];

  it.each([
    ['measured', 990],
    ['serial', 846.45],
    ['weighted', 964],
    ['worst', 900],
  ] as const)('%s', (aggregation, good) => {
    const result = aggregateSteps(aggregation, steps);
    expect(result.valid).toBe(1000);
    expect(result.good).toBeCloseTo(good, 9);
    expect(result.missing).toEqual([]);
  });

  it('names the steps that it misses', () => {
    const quiet = [...steps, step('archive', 0, 0)];
    expect(aggregateSteps('measured', quiet).missing).toEqual([]);
    for (const aggregation of ['serial', 'weighted', 'worst'] as const) {
      const result = aggregateSteps(aggregation, quiet);
      expect(result.missing).toEqual(['archive']);
      expect(result.good).toBeCloseTo(
        aggregateSteps(aggregation, steps).good,
        9,
      );
    }
    expect(aggregateSteps('serial', [])).toMatchObject({ valid: 0, good: 0 });
    expect(
      aggregateSteps('worst', [step('accept', 0, 0), step('book', 5, 5)]),
    ).toEqual({ valid: 0, good: 0, missing: ['accept'] });
  });

  const arbitrary = fc
    .array(
      fc.record({
        a: fc.nat(100_000),
        b: fc.nat(100_000),
        weight: fc.integer({ min: 1, max: 20 }),
      }),
      { minLength: 1, maxLength: 60 },
    )
    .map(list =>
      list.map(({ a, b, weight }, index) =>
        step(`s${index}`, Math.max(a, b), Math.min(a, b), weight),
      ),
    );

  it('is bounded, monotone and free of order, with 60 steps', () => {
    fc.assert(
      fc.property(
        arbitrary,
        fc.constantFrom(...AGGREGATIONS),
        fc.nat(59),
        fc.nat(1000),
        (list, aggregation, which, more) => {
          const { valid, good } = aggregateSteps(aggregation, list);
          expect(valid).toBe(good > 0 || valid > 0 ? list[0].valid : 0);
          expect(good).toBeGreaterThanOrEqual(0);
          expect(good).toBeLessThanOrEqual(valid + 1e-6);
          const [entry, ...others] = list;
          expect(
            aggregateSteps(aggregation, [entry, ...others.reverse()]).good,
          ).toBe(good);
          const worse = list.map((s, index) =>
            index === which % list.length
              ? { ...s, good: Math.max(0, s.good - more) }
              : s,
          );
          expect(aggregateSteps(aggregation, worse).good).toBeLessThanOrEqual(
            good + 1e-6,
          );
        },
      ),
    );
  });

  it('orders the methods: serial <= worst <= weighted', () => {
    fc.assert(
      fc.property(arbitrary, list => {
        const good = (aggregation: (typeof AGGREGATIONS)[number]) =>
          aggregateSteps(aggregation, list).good;
        expect(good('serial')).toBeLessThanOrEqual(good('worst') + 1e-6);
        expect(good('worst')).toBeLessThanOrEqual(good('weighted') + 1e-6);
      }),
    );
  });
});

describe('stepFactors', () => {
  const steps = [
    step('accept', 1000, 990, 3),
    step('book', 2000, 1900),
    step('notify', 500, 450),
  ];
  // One bad event of 2,000 at book is 1/2,000 of its requests, so half an event of 1,000.
  it.each([
    ['measured', [1, 0, 0]],
    ['serial', [1, 0.5, 2]],
    ['weighted', [0.6, 0.1, 0.4]],
    ['worst', [0, 0, 2]],
  ] as const)('%s', (aggregation, factors) => {
    expect(stepFactors(aggregation, steps)).toEqual(factors);
  });

  it('adds up to the bad events of the path, but for serial', () => {
    for (const aggregation of ['measured', 'weighted', 'worst'] as const) {
      const factors = stepFactors(aggregation, steps);
      const bad = steps.reduce(
        (sum, s, i) => sum + (s.valid - s.good) * factors[i],
        0,
      );
      const path = aggregateSteps(aggregation, steps);
      expect(bad).toBeCloseTo(path.valid - path.good, 9);
    }
  });
});
