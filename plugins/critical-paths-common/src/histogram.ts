/**
 * Counts of requests by latency bucket of {@link LATENCY_SCALE}. Sparse: an
 * index that is absent counts 0. Two histograms are merged by adding counts,
 * so percentiles of any union of intervals or applications can be estimated
 * from stored rows.
 */
export type SparseHistogram = Record<number, number>;

const BUCKETS_PER_DOUBLING = 4;
const LAST_INDEX = 56;
const BASE = 2 ** (1 / BUCKETS_PER_DOUBLING);
const UPPER: readonly number[] = Array.from(
  { length: LAST_INDEX + 1 },
  (_, index) => 2 ** (index / BUCKETS_PER_DOUBLING),
);

/**
 * The one latency scale of Rocket: exponential buckets as in OpenTelemetry's
 * exponential histogram at scale 2. Bucket `i` covers
 * `(base^(i-1), base^i]` milliseconds; bucket 0 is everything up to 1 ms, the
 * last one everything above `base^55` (about 13.8 s).
 */
export const LATENCY_SCALE = {
  /** Growth from one bucket bound to the next, 2^(1/4). */
  base: BASE,
  /** Number of buckets. */
  buckets: LAST_INDEX + 1,
  /** Index of the last bucket, which has no upper end. */
  lastIndex: LAST_INDEX,
  /** Upper bounds in milliseconds by index; the last one, 16384, is nominal. */
  upperMs: UPPER,
  /**
   * Bound of the relative error of an estimated percentile between 1 ms and
   * 16384 ms: (base - 1) / (base + 1). Below 1 ms the absolute error is at most
   * 1 ms; above 16384 ms the figure is a lower bound.
   */
  relativeError: (BASE - 1) / (BASE + 1),
} as const;

/**
 * Index of the bucket that a duration in milliseconds belongs to. Negative
 * durations and NaN (a broken clock) count as bucket 0.
 */
export function latencyBucketIndex(durationMs: number): number {
  if (!(durationMs > 1)) {
    return 0;
  }
  if (durationMs > UPPER[LAST_INDEX - 1]) {
    return LAST_INDEX;
  }
  // log2 may be off by one unit in the last place at a bound; correct it.
  let index = Math.ceil(Math.log2(durationMs) * BUCKETS_PER_DOUBLING);
  while (index > 0 && durationMs <= UPPER[index - 1]) {
    index -= 1;
  }
  while (durationMs > UPPER[index]) {
    index += 1;
  }
  return index;
}

/** Bounds of a bucket in milliseconds: exclusive lower, inclusive upper (Infinity for the last). */
export function latencyBucketBounds(index: number): {
  lowerMs: number;
  upperMs: number;
} {
  if (!Number.isInteger(index) || index < 0 || index > LAST_INDEX) {
    throw new RangeError(
      `latency bucket index must be 0..${LAST_INDEX}, was ${index}`,
    );
  }
  return {
    lowerMs: index === 0 ? 0 : UPPER[index - 1],
    upperMs: index === LAST_INDEX ? Infinity : UPPER[index],
  };
}

/** Adds `source` to `target` in place and returns `target`. */
export function addHistogram(
  target: SparseHistogram,
  source: SparseHistogram,
): SparseHistogram {
  for (const key in source) {
    if (Object.hasOwn(source, key)) {
      target[key] = (target[key] ?? 0) + source[key];
    }
  }
  return target;
}

/** Adds up any number of histograms or other sparse counts into a new one. */
export function mergeHistograms(
  histograms: Iterable<SparseHistogram>,
): SparseHistogram {
  const result: SparseHistogram = {};
  for (const histogram of histograms) {
    addHistogram(result, histogram);
  }
  return result;
}

/** Number of requests in a histogram. */
export function histogramCount(histogram: SparseHistogram): number {
  let total = 0;
  for (const key in histogram) {
    if (Object.hasOwn(histogram, key)) {
      total += histogram[key];
    }
  }
  return total;
}

/** Histogram of the given durations in milliseconds. */
export function histogramOf(durationsMs: Iterable<number>): SparseHistogram {
  const result: SparseHistogram = {};
  for (const duration of durationsMs) {
    const index = latencyBucketIndex(duration);
    result[index] = (result[index] ?? 0) + 1;
  }
  return result;
}

/**
 * The value that stands for every request of a bucket: the harmonic mean of its
 * bounds, which keeps the relative error towards both bounds the same.
 */
function representativeMs(index: number): number {
  if (index === 0) {
    return UPPER[0];
  }
  const lower = UPPER[index - 1];
  const upper = UPPER[index];
  return (2 * lower * upper) / (lower + upper);
}

/**
 * Estimates a percentile in milliseconds by the nearest-rank method, with the
 * relative error stated by `LATENCY_SCALE.relativeError`. Undefined for an
 * empty histogram.
 *
 * @param percentile - 0 < percentile <= 100
 */
export function estimatePercentile(
  histogram: SparseHistogram,
  percentile: number,
): number | undefined {
  const counts = new Array<number>(LAST_INDEX + 1).fill(0);
  for (const key in histogram) {
    if (Object.hasOwn(histogram, key)) {
      counts[Number(key)] = histogram[key];
    }
  }
  return estimatePercentiles(counts, [percentile])[0];
}

/**
 * {@link estimatePercentile} of several percentiles at once, from the counts of
 * all buckets in order.
 */
export function estimatePercentiles(
  counts: ArrayLike<number>,
  percentiles: readonly number[],
): (number | undefined)[] {
  let total = 0;
  for (let index = 0; index <= LAST_INDEX; index++) {
    total += counts[index];
  }
  return percentiles.map(percentile => {
    if (!(percentile > 0 && percentile <= 100)) {
      throw new RangeError(`percentile must be in (0, 100], was ${percentile}`);
    }
    if (!(total > 0)) {
      return undefined;
    }
    // Whole counts make the rank exact; the small tolerance undoes the rounding
    // of total * percentile / 100 (for example 1000 * 99.9 / 100).
    const rank = Math.max(1, Math.ceil((total * percentile) / 100 - 1e-9));
    let seen = 0;
    let last = 0;
    for (let index = 0; index <= LAST_INDEX; index++) {
      if (counts[index] > 0) {
        seen += counts[index];
        last = index;
        if (seen >= rank) {
          return representativeMs(index);
        }
      }
    }
    return representativeMs(last);
  });
}

/**
 * Estimates how many requests took at most `thresholdMs`, for thresholds that
 * no exact count was collected for. Whole buckets below the threshold count in
 * full, the bucket that holds it in proportion; the error is at most the
 * content of that one bucket.
 */
export function estimateCountWithin(
  histogram: SparseHistogram,
  thresholdMs: number,
): number {
  let within = 0;
  for (let index = 0; index <= LAST_INDEX; index++) {
    const count = histogram[index] ?? 0;
    if (count > 0) {
      const lower = index === 0 ? 0 : UPPER[index - 1];
      const upper = UPPER[index];
      if (thresholdMs >= upper) {
        within += count;
      } else if (thresholdMs > lower) {
        within += (count * (thresholdMs - lower)) / (upper - lower);
      }
    }
  }
  return within;
}
