import {
  LATENCY_SCALE,
  compliance,
  estimatePercentile,
  type LatencySummary,
  type Series,
  type Signals,
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
  return Number(value.toFixed(digits));
}

/** Ratios keep six decimals: 99.9999 % is told apart from 100 %. A ratio below 1 never rounds up to it. */
function ratio(value: number): number {
  const result = rounded(value, 6);
  return result === 1 && value < 1 ? 0.999999 : result;
}

function percentile(
  histogram: Record<number, number>,
  which: number,
): number | null {
  const estimate = estimatePercentile(histogram, which);
  return estimate === undefined ? null : rounded(estimate, 1);
}

function latency(histogram: Record<number, number>): LatencySummary {
  return {
    p50Ms: percentile(histogram, 50),
    p95Ms: percentile(histogram, 95),
    p99Ms: percentile(histogram, 99),
    relativeError: RELATIVE_ERROR,
  };
}

/** One feed's cells on a grid, with what its source answered for. */
export interface FeedCells {
  cells: (SignalCell | undefined)[];
  covered: MinuteRange[];
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
  return Math.max(
    0,
    ...feeds.map(feed => coveredMinutes(feed.covered, from, to)),
  );
}

/** Sum over all feeds and the whole grid. */
export function sumFeeds(feeds: FeedCells[]): CellSum {
  const sum = new CellSum();
  for (const feed of feeds) {
    for (const cell of feed.cells) {
      if (cell) {
        sum.add(cell);
      }
    }
  }
  return sum;
}

/** The four signals of the sum of the feeds over the grid. */
export function signalsOf(feeds: FeedCells[], grid: Grid): Signals {
  const { valid, good, histogram } = sumFeeds(feeds).toCounts();
  const share = compliance(good, valid);
  const observed = observedMinutes(feeds, grid.from, grid.to);
  return {
    valid,
    good,
    availability: share === undefined ? null : ratio(share),
    errorRate: share === undefined ? null : rounded(1 - ratio(share), 6),
    throughputPerMinute: observed > 0 ? rounded(valid / observed, 3) : null,
    latency: latency(histogram),
  };
}

/** A chart of the sum of the feeds. An interval that no feed was answered for is a gap. */
export function seriesOf(feeds: FeedCells[], grid: Grid): Series {
  return {
    stepSeconds: grid.step * 60,
    points: grid.starts.map((start, index) => {
      const end = grid.starts[index + 1] ?? grid.to;
      const observed = observedMinutes(feeds, start, end);
      const sum = new CellSum();
      for (const feed of feeds) {
        const cell = feed.cells[index];
        if (cell) {
          sum.add(cell);
        }
      }
      const { valid, good, histogram } = sum.toCounts();
      const share = compliance(good, valid);
      return {
        start: isoOfMinute(start),
        observed: observed > 0,
        valid,
        good,
        throughputPerMinute: observed > 0 ? rounded(valid / observed, 3) : null,
        availability: share === undefined ? null : ratio(share),
        errorRate: share === undefined ? null : rounded(1 - ratio(share), 6),
        p95Ms: percentile(histogram, 95),
        p99Ms: percentile(histogram, 99),
      };
    }),
  };
}
