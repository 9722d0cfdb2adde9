import {
  LATENCY_SCALE,
  aggregateSteps,
  compliance,
  estimatePercentile,
  estimatePercentiles,
  type Aggregation,
  type LatencySummary,
  type Series,
  type SignalCounts,
  type Signals,
  type StepCounts,
} from '@rocket/plugin-critical-paths-common';
import { CellSum } from '../store/cells';
import { coveredMinutes, type MinuteRange } from '../store/ranges';
import type { SignalCell } from '../store/SignalStore';
import type { Grid } from './windows';

const RELATIVE_ERROR = Number(LATENCY_SCALE.relativeError.toFixed(4));

/** ISO 8601 UTC of a minute since the epoch. */
export function isoOfMinute(minute: number): string {
  return new Date(minute * 60_000).toISOString();
}

function rounded(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}

/** Ratios keep six decimals: 99.9999 % is told apart from 100 %. A ratio below 1 never rounds up to it. */
function ratio(value: number): number {
  const result = rounded(value, 6);
  return result === 1 && value < 1 ? 0.999999 : result;
}

function milliseconds(estimate: number | undefined): number | null {
  return estimate === undefined ? null : rounded(estimate, 1);
}

function latency(
  histogram: Record<number, number>,
  latencyError = 0,
): LatencySummary {
  const [p50, p95, p99] = [50, 95, 99].map(which =>
    milliseconds(estimatePercentile(histogram, which)),
  );
  return {
    p50Ms: p50,
    p95Ms: p95,
    p99Ms: p99,
    relativeError: Math.max(RELATIVE_ERROR, rounded(latencyError, 4)),
  };
}

/** One feed's cells on a grid, with what its source answered for. */
export interface FeedCells {
  cells: (SignalCell | undefined)[];
  covered: readonly MinuteRange[];
  /** Bound of the relative error of percentiles, where it is wider than that of our own scale. */
  latencyError?: number;
}

/**
 * Minutes of `[from, to)` that were observed. Feeds are added up, so a minute
 * counts when any of them was answered for; with several feeds the longest
 * coverage stands for the union.
 */
export function observedMinutes(
  feeds: FeedCells[],
  from: number,
  to: number,
): number {
  let longest = 0;
  for (const { covered } of feeds) {
    longest = Math.max(longest, coveredMinutes(covered, from, to));
  }
  return longest;
}

/** Cells of one step on a grid. */
export interface MeasuredStep {
  name: string;
  weight: number;
  feeds: FeedCells[];
}

/** What a figure is made of: a path by its steps, or one application as a single step. */
export interface Measured {
  aggregation: Aggregation;
  /** The entry step first. For `measured` the others may be left out. */
  steps: MeasuredStep[];
  /** Planned downtime; it is left out of `covered` and of all cells already. */
  maintenance?: readonly MinuteRange[];
}

/** One application, or anything else whose feeds are simply added up. */
export function singleStep(
  feeds: FeedCells[],
  maintenance?: readonly MinuteRange[],
): Measured {
  return {
    aggregation: 'measured',
    steps: [{ name: '', weight: 1, feeds }],
    maintenance,
  };
}

/** Events of a path, with those of its steps that they come from. */
export interface MeasuredCounts {
  /** The entry step's, with valid and good as the aggregation makes them. */
  counts: SignalCounts;
  steps: StepCounts[];
  /** Steps without requests that the aggregation needs. */
  missing: string[];
}

/** Adds up the intervals `[first, last)` of the grid that the cells are on; all of them by default. */
export function countsOf(
  { aggregation, steps }: Measured,
  first = 0,
  last = Infinity,
): MeasuredCounts {
  const sums = steps.map(({ feeds }) => {
    const sum = new CellSum();
    for (const { cells } of feeds) {
      const end = Math.min(last, cells.length);
      for (let i = first; i < end; i++) {
        const cell = cells[i];
        if (cell) {
          sum.add(cell);
        }
      }
    }
    return sum;
  });
  const stepCounts = steps.map(({ name, weight }, i) => ({
    name,
    weight,
    valid: sums[i].valid,
    good: sums[i].good,
  }));
  const { valid, good, missing } = aggregateSteps(aggregation, stepCounts);
  const entry = (sums[0] ?? new CellSum()).toCounts();
  return {
    counts:
      aggregation === 'measured'
        ? entry
        : { ...entry, valid, good: rounded(good, 6) },
    steps: stepCounts,
    missing: aggregation === 'measured' ? [] : missing,
  };
}

/** The feeds by which a path's coverage is told: those of its entry step. */
function entryFeeds({ steps }: Measured): FeedCells[] {
  return steps[0]?.feeds ?? [];
}

/** The four signals over the whole grid. */
export function signalsOf(measured: Measured, grid: Grid): Signals {
  return signalsOfCounts(
    countsOf(measured).counts,
    observedMinutes(entryFeeds(measured), grid.from, grid.to),
    latencyErrorOf(measured),
  );
}

/** The widest bound of the entry step's feeds. */
export function latencyErrorOf(measured: Measured): number {
  return Math.max(0, ...entryFeeds(measured).map(f => f.latencyError ?? 0));
}

/** The four signals of counts that were added up over so many observed minutes. */
export function signalsOfCounts(
  { valid, good, histogram }: SignalCounts,
  observed: number,
  latencyError = 0,
): Signals {
  const share = compliance(good, valid);
  return {
    valid,
    good,
    availability: share === undefined ? null : ratio(share),
    errorRate: share === undefined ? null : rounded(1 - ratio(share), 6),
    throughputPerMinute: observed > 0 ? rounded(valid / observed, 3) : null,
    latency: latency(histogram, latencyError),
  };
}

/** The bucket counts of the interval that is worked on; a page has a thousand of them. */
const buckets = new Float64Array(LATENCY_SCALE.buckets);

/** A chart. An interval that no feed of the entry step was answered for is a gap. */
export function seriesOf(measured: Measured, grid: Grid): Series {
  const entry = entryFeeds(measured);
  const { aggregation, steps, maintenance } = measured;
  return {
    stepSeconds: grid.step * 60,
    points: grid.starts.map((start, index) => {
      const end = grid.starts[index + 1] ?? grid.to;
      const observed = observedMinutes(entry, start, end);
      const { valid, good } = aggregateSteps(
        aggregation,
        steps.map(({ name, weight, feeds }) => {
          const sum = { name, weight, valid: 0, good: 0 };
          for (const { cells } of feeds) {
            sum.valid += cells[index]?.valid ?? 0;
            sum.good += cells[index]?.good ?? 0;
          }
          return sum;
        }),
      );
      buckets.fill(0);
      for (const { cells } of entry) {
        const histogram = cells[index]?.histogram ?? [];
        for (let i = 0; i < histogram.length; i += 2) {
          buckets[histogram[i]] += histogram[i + 1];
        }
      }
      const [p95, p99] = estimatePercentiles(buckets, [95, 99]);
      const share = compliance(good, valid);
      const down = maintenance ? coveredMinutes(maintenance, start, end) : 0;
      return {
        start: isoOfMinute(start),
        observed: observed > 0,
        ...(down > 0 && down >= end - start ? { maintenance: true } : {}),
        valid,
        good: aggregation === 'measured' ? good : rounded(good, 6),
        throughputPerMinute: observed > 0 ? rounded(valid / observed, 3) : null,
        availability: share === undefined ? null : ratio(share),
        errorRate: share === undefined ? null : rounded(1 - ratio(share), 6),
        p95Ms: milliseconds(p95),
        p99Ms: milliseconds(p99),
      };
    }),
  };
}
