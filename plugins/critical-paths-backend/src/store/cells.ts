import type { TelemetryBucket } from '@rocket/plugin-critical-paths-node';
import {
  LATENCY_SCALE,
  type SignalCounts,
} from '@rocket/plugin-critical-paths-common';
import type { SignalCell } from './SignalStore';

function whole(value: number | undefined): number {
  return Number.isFinite(value) && value! > 0 ? Math.round(value!) : 0;
}

/**
 * Turns the answer of a source into a cell. Sampled counts are rounded to whole
 * requests, and what cannot be (more good than valid, an index off the scale)
 * is bounded, so that sums stay sums.
 */
function cellOfBucket(bucket: TelemetryBucket): SignalCell {
  const valid = whole(bucket.valid);
  const histogram: number[] = [];
  for (const [key, count] of Object.entries(bucket.histogram)) {
    const index = Number(key);
    if (
      Number.isInteger(index) &&
      index >= 0 &&
      index <= LATENCY_SCALE.lastIndex &&
      whole(count) > 0
    ) {
      histogram.push(index, whole(count));
    }
  }
  return {
    valid,
    good: Math.min(valid, whole(bucket.good)),
    histogram,
    thresholds: Object.entries(bucket.withinThreshold).map(
      ([threshold, within]) => ({
        threshold: Number(threshold),
        within: Math.min(valid, whole(within)),
        of: valid,
      }),
    ),
  };
}

/** Text form of the histogram and thresholds of a cell: `[[index, count, …], [threshold, within, of, …]]`. */
export function encodeCell(cell: SignalCell): string {
  return JSON.stringify([
    cell.histogram,
    cell.thresholds.flatMap(t => [t.threshold, t.within, t.of]),
  ]);
}

/** Reads back {@link encodeCell}. */
export function decodeCell(
  valid: number,
  good: number,
  data: string,
): SignalCell {
  const [histogram, flat] = JSON.parse(data) as [number[], number[]];
  const thresholds: SignalCell['thresholds'] = [];
  for (let i = 0; i < flat.length; i += 3) {
    thresholds.push({
      threshold: flat[i],
      within: flat[i + 1],
      of: flat[i + 2],
    });
  }
  return { valid, good, histogram, thresholds };
}

/** Adds up cells. The only way in which stored figures are ever combined. */
export class CellSum {
  valid = 0;
  good = 0;
  readonly #histogram = new Float64Array(LATENCY_SCALE.buckets);
  readonly #within = new Map<number, { within: number; of: number }>();

  add(cell: SignalCell): void {
    this.valid += cell.valid;
    this.good += cell.good;
    for (let i = 0; i < cell.histogram.length; i += 2) {
      this.#histogram[cell.histogram[i]] += cell.histogram[i + 1];
    }
    for (const { threshold, within, of } of cell.thresholds) {
      const sum = this.#within.get(threshold);
      if (sum) {
        sum.within += within;
        sum.of += of;
      } else {
        this.#within.set(threshold, { within, of });
      }
    }
  }

  toCell(): SignalCell {
    const histogram: number[] = [];
    this.#histogram.forEach((count, index) => {
      if (count > 0) {
        histogram.push(index, count);
      }
    });
    return {
      valid: this.valid,
      good: this.good,
      histogram,
      thresholds: [...this.#within].map(([threshold, sum]) => ({
        threshold,
        ...sum,
      })),
    };
  }

  toCounts(): SignalCounts {
    const counts: SignalCounts = {
      valid: this.valid,
      good: this.good,
      histogram: {},
      withinThreshold: {},
      thresholdValid: {},
    };
    this.#histogram.forEach((count, index) => {
      if (count > 0) {
        counts.histogram[index] = count;
      }
    });
    for (const [threshold, sum] of this.#within) {
      counts.withinThreshold[threshold] = sum.within;
      counts.thresholdValid![threshold] = sum.of;
    }
    return counts;
  }
}

/**
 * Cells of a source's answer, `step` minutes long; buckets that start within
 * the same interval are added up.
 */
export function cellsOfBuckets(
  buckets: TelemetryBucket[],
  step: number,
): (SignalCell & { at: number })[] {
  const sums = new Map<number, CellSum>();
  for (const bucket of buckets) {
    const at = Math.floor(bucket.start / (60 * step)) * step;
    let sum = sums.get(at);
    if (!sum) {
      sum = new CellSum();
      sums.set(at, sum);
    }
    sum.add(cellOfBucket(bucket));
  }
  return [...sums].map(([at, sum]) => ({ at, ...sum.toCell() }));
}
