import type { ObjectiveResult } from '@rocket/plugin-critical-paths-common';
import { makeSeries } from '../__testUtils__/fixtures';
import {
  budgetText,
  describeObjective,
  pointsOf,
  thresholdsOf,
  worstBudget,
} from './figures';

const result = (
  objective: ObjectiveResult['objective'],
  budgetRemaining: number | null,
): ObjectiveResult => ({
  objective,
  actual: null,
  met: null,
  budgetRemaining,
  valid: 0,
  good: 0,
});
const availability = result(
  { sli: 'availability', target: 99.95, windowDays: 28 },
  0.4,
);
const latency = result(
  { sli: 'latency', target: 99, thresholdMs: 400, windowDays: 7 },
  -0.1,
);
const throughput = result(
  { sli: 'throughput', target: 40, windowDays: 1 },
  null,
);

describe('objectives', () => {
  it('are said in words', () => {
    expect(
      [availability, latency, throughput].map(o =>
        describeObjective(o.objective),
      ),
    ).toEqual([
      '99.95 % of requests good over 28 days',
      '99 % of requests within 400 ms over 7 days',
      'At least 40 /min over 1 day',
    ]);
  });

  it('become lines on the chart that they are about', () => {
    const all = [availability, latency, throughput];
    expect(thresholdsOf(all, 'availability')).toEqual([
      { value: expect.closeTo(0.9995, 9), label: 'objective 99.95 %' },
    ]);
    expect(thresholdsOf(all, 'errorRate')).toEqual([
      { value: expect.closeTo(0.0005, 9), label: 'budget 0.05 %' },
    ]);
    expect(thresholdsOf(all, 'latency')[0].value).toBe(400);
    expect(thresholdsOf(all, 'throughput')[0].value).toBe(40);
  });

  it('give the smallest budget, or none', () => {
    expect(worstBudget([availability, latency, throughput])).toBe(-0.1);
    expect(worstBudget([throughput])).toBeNull();
    expect(budgetText([throughput])).toBe('no objective');
    expect(budgetText([latency])).toBe('no data');
  });
});

describe('pointsOf', () => {
  it('has no value where nobody looked, whatever the answer says', () => {
    const series = makeSeries(
      { now: Date.UTC(2026, 10, 21), window: '1h' },
      { seed: 1, perMinute: 60, failing: 0, p95Ms: 10 },
      4,
    );
    series.points[1] = { ...series.points[1], observed: false };
    expect(pointsOf(series, 'availability').map(point => point.value)).toEqual([
      1,
      null,
      1,
      1,
    ]);
    expect(pointsOf(series, 'latency', 'p99')[0].value).toBe(
      series.points[0].p99Ms,
    );
  });
});
