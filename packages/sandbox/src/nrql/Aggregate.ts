import { Segment } from '../store/Segment';
import { Condition, Expr } from './ast';
import { bindCondition, RowTest } from './evaluate';

/** One aggregate of a query, as the plan asks for it. */
export type AggregateSpec = {
  /** Events that it counts in; all when undefined. */
  filter?: Condition;
} & (
  | { fn: 'count' | 'sum' | 'average' | 'stddev'; of?: Expr }
  | { fn: 'min' | 'max'; of: Expr }
  | { fn: 'latest' | 'earliest' | 'uniqueCount'; of: Expr }
  | { fn: 'uniques'; of: Expr; limit: number }
  | { fn: 'percentile'; of: Expr; points: number[] }
  | {
      fn: 'histogram';
      of: Expr;
      start: number;
      width: number;
      buckets: number;
    }
  | { fn: 'apdex'; of: Expr; t: number }
  /** Counts of many `of <= threshold` (or <) filters at once, cumulative. */
  | { fn: 'ladder'; of: Expr; strict: boolean; thresholds: number[] }
);

/**
 * State of one aggregate for every group (a facet's time bucket). Groups are
 * small integers; states can be merged, so that totals need no second reading.
 */
export abstract class Aggregate<R = unknown> {
  protected weights: Float64Array | undefined;
  private test: RowTest = true;

  constructor(
    private readonly filter: Condition | undefined,
    private readonly extrapolate: boolean,
  ) {}

  /** Cells of memory that a group takes, about. */
  get cells(): number {
    return 1;
  }

  /** Makes room for groups 0..count-1. */
  abstract grow(count: number): void;
  /** Adds what group `from` holds to group `into`. */
  abstract merge(into: number, from: number): void;
  /** `empty` is what a bucket of a TIMESERIES shows without data. */
  abstract result(group: number, inTimeseries: boolean): R;
  /** Prepares for the rows of a segment. */
  protected abstract bind(segment: Segment): void;
  protected abstract add(row: number, group: number, weight: number): void;

  /** Adds rows[0..n-1] of a segment, each to the group beside it. */
  update(segment: Segment, rows: Int32Array, groups: Int32Array, n: number) {
    this.test = this.filter ? bindCondition(this.filter, segment) : true;
    if (this.test === false) return;
    this.bind(segment);
    const weights = this.extrapolate ? segment.weights : undefined;
    const { test } = this;
    for (let i = 0; i < n; i += 1) {
      const row = rows[i];
      if (test === true || (test as (r: number) => boolean)(row)) {
        this.add(row, groups[i], weights ? weights[row] : 1);
      }
    }
  }
}

/** A copy with room for `size` elements, or the array itself when it has that. */
export function grown(
  array: Float64Array,
  size: number,
  fill = 0,
): Float64Array {
  if (array.length >= size) return array;
  const result = new Float64Array(Math.max(size, array.length * 2));
  if (fill !== 0) result.fill(fill, array.length);
  result.set(array);
  return result;
}
