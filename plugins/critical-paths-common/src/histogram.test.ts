import fc from 'fast-check';
import {
  LATENCY_SCALE,
  addHistogram,
  estimateCountWithin,
  estimatePercentile,
  histogramCount,
  histogramOf,
  latencyBucketBounds,
  latencyBucketIndex,
  mergeHistograms,
} from './histogram';

const duration = fc.double({ min: 0.01, max: 16384, noNaN: true });
const durations = fc.array(duration, { minLength: 1, maxLength: 300 });
const histogram = fc.dictionary(
  fc.integer({ min: 0, max: LATENCY_SCALE.lastIndex }).map(String),
  fc.integer({ min: 0, max: 1_000_000 }),
);

describe('LATENCY_SCALE', () => {
  it.each([
    [0, 0],
    [1, 0],
    [1.0001, 1],
    [2 ** 0.25, 1],
    [2, 4],
    [2.001, 5],
    [10, 14],
    [100, 27],
    [1000, 40],
    [1024, 40],
    [1024.5, 41],
    [13777, 55],
    [13778, 56],
    [16384, 56],
    [1e9, 56],
    [Infinity, 56],
    [-5, 0],
    [NaN, 0],
  ])('puts %d ms in bucket %d', (ms, index) => {
    expect(latencyBucketIndex(ms)).toBe(index);
  });

  it('gives every bound to the bucket that it closes', () => {
    LATENCY_SCALE.upperMs.forEach((upper, index) => {
      expect(latencyBucketIndex(upper)).toBe(index);
    });
    expect(LATENCY_SCALE.buckets).toBe(57);
    expect(LATENCY_SCALE.upperMs[56]).toBe(16384);
    expect(LATENCY_SCALE.relativeError).toBeCloseTo(0.0864, 4);
  });

  it('has bounds that hold each duration, without gaps', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), ms => {
        const { lowerMs, upperMs } = latencyBucketBounds(
          latencyBucketIndex(ms),
        );
        return (ms > lowerMs || ms === 0) && ms <= upperMs;
      }),
    );
    for (let i = 1; i < LATENCY_SCALE.buckets; i++) {
      expect(latencyBucketBounds(i).lowerMs).toBe(
        latencyBucketBounds(i - 1).upperMs,
      );
    }
    expect(() => latencyBucketBounds(57)).toThrow('must be 0..56, was 57');
    expect(() => latencyBucketBounds(1.5)).toThrow('was 1.5');
  });
});

describe('merging', () => {
  it('does not depend on order or grouping and loses nothing', () => {
    fc.assert(
      fc.property(histogram, histogram, histogram, (a, b, c) => {
        const all = mergeHistograms([a, b, c]);
        expect(mergeHistograms([c, mergeHistograms([b, a])])).toEqual(all);
        expect(histogramCount(all)).toBe(
          histogramCount(a) + histogramCount(b) + histogramCount(c),
        );
      }),
    );
  });

  it('equals the histogram of all durations together', () => {
    fc.assert(
      fc.property(durations, durations, (a, b) => {
        expect(mergeHistograms([histogramOf(a), histogramOf(b)])).toEqual(
          histogramOf([...a, ...b]),
        );
      }),
    );
  });

  it('adds in place and leaves the source alone', () => {
    const target = { 3: 1 };
    const source = { 3: 2, 7: 5 };
    expect(addHistogram(target, source)).toBe(target);
    expect(target).toEqual({ 3: 3, 7: 5 });
    expect(source).toEqual({ 3: 2, 7: 5 });
  });
});

describe('estimatePercentile', () => {
  it('stays within the stated relative error of the exact nearest-rank value', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1, max: 16384, noNaN: true }), {
          minLength: 1,
          maxLength: 300,
        }),
        fc.integer({ min: 1, max: 100 }),
        (values, percentile) => {
          const sorted = [...values].sort((a, b) => a - b);
          const exact =
            sorted[Math.ceil((sorted.length * percentile) / 100) - 1];
          const estimate = estimatePercentile(histogramOf(values), percentile)!;
          expect(Math.abs(estimate - exact) / exact).toBeLessThanOrEqual(
            LATENCY_SCALE.relativeError + 1e-9,
          );
        },
      ),
    );
  });

  it('never falls when the percentile rises', () => {
    fc.assert(
      fc.property(
        durations,
        fc.tuple(
          fc.double({ min: 0.1, max: 100, noNaN: true }),
          fc.double({ min: 0.1, max: 100, noNaN: true }),
        ),
        (values, [p, q]) => {
          const h = histogramOf(values);
          expect(estimatePercentile(h, Math.min(p, q))!).toBeLessThanOrEqual(
            estimatePercentile(h, Math.max(p, q))!,
          );
        },
      ),
    );
  });

  it('takes the nearest rank', () => {
    // 99 requests in bucket 10, one in bucket 40: p99 is still fast, p99.5 slow.
    const h = { 10: 99, 40: 1 };
    const value = (i: number) => {
      const { lowerMs, upperMs } = latencyBucketBounds(i);
      return (2 * lowerMs * upperMs) / (lowerMs + upperMs);
    };
    expect(estimatePercentile(h, 99)).toBe(value(10));
    expect(estimatePercentile(h, 99.5)).toBe(value(40));
    // 1000 x 99.9 / 100 is not exactly 999 in floating point.
    expect(estimatePercentile({ 10: 999, 40: 1 }, 99.9)).toBe(value(10));
  });

  it('knows nothing about nothing', () => {
    expect(estimatePercentile({}, 95)).toBeUndefined();
    expect(estimatePercentile({ 5: 0 }, 95)).toBeUndefined();
    expect(() => estimatePercentile({ 1: 1 }, 0)).toThrow('(0, 100]');
    expect(() => estimatePercentile({ 1: 1 }, 101)).toThrow('(0, 100]');
  });
});

describe('estimateCountWithin', () => {
  it('is exact at bucket bounds and never falls', () => {
    fc.assert(
      fc.property(durations, duration, duration, (values, a, b) => {
        const h = histogramOf(values);
        const bound = LATENCY_SCALE.upperMs[latencyBucketIndex(a)];
        expect(estimateCountWithin(h, bound)).toBe(
          values.filter(v => v <= bound).length,
        );
        expect(estimateCountWithin(h, Math.min(a, b))).toBeLessThanOrEqual(
          estimateCountWithin(h, Math.max(a, b)),
        );
        expect(estimateCountWithin(h, 16384)).toBe(values.length);
      }),
    );
  });
});
