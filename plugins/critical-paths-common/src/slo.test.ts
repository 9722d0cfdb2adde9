import { histogramOf } from './histogram';
import type { CriticalPathObjective } from './kind';
import { describeObjective, evaluateObjective } from './slo';

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
