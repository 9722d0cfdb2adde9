import { AttributeValue } from '../store/Column';
import { Segment } from '../store/Segment';
import { Condition, Expr } from './ast';
import {
  bindCondition,
  bindNumber,
  bindValue,
  NumberGetter,
  RowTest,
  ValueGetter,
} from './evaluate';

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

function grown(array: Float64Array, size: number, fill = 0): Float64Array {
  if (array.length >= size) return array;
  const result = new Float64Array(Math.max(size, array.length * 2));
  if (fill !== 0) result.fill(fill, array.length);
  result.set(array);
  return result;
}

class Count extends Aggregate<number> {
  private counts = new Float64Array(0);
  private get: ValueGetter | undefined;
  constructor(
    private readonly of: Expr | undefined,
    ...rest: [Condition | undefined, boolean]
  ) {
    super(...rest);
  }
  grow(count: number) {
    this.counts = grown(this.counts, count);
  }
  bind(segment: Segment) {
    this.get = this.of && bindValue(this.of, segment);
  }
  add(row: number, group: number, weight: number) {
    if (this.get === undefined || this.get(row) !== undefined) {
      this.counts[group] += weight;
    }
  }
  merge(into: number, from: number) {
    this.counts[into] += this.counts[from];
  }
  result(group: number) {
    return this.counts[group];
  }
}

/** Count, mean and sum of squared distances, after Welford; mergeable. */
class Moments extends Aggregate<number | null> {
  private weight = new Float64Array(0);
  private total = new Float64Array(0);
  private mean = new Float64Array(0);
  private squares = new Float64Array(0);
  private get: NumberGetter = () => NaN;
  constructor(
    private readonly of: Expr,
    private readonly fn: 'sum' | 'average' | 'stddev',
    ...rest: [Condition | undefined, boolean]
  ) {
    super(...rest);
  }
  override get cells() {
    return 4;
  }
  grow(count: number) {
    this.weight = grown(this.weight, count);
    this.total = grown(this.total, count);
    this.mean = grown(this.mean, count);
    this.squares = grown(this.squares, count);
  }
  bind(segment: Segment) {
    this.get = bindNumber(this.of, segment);
  }
  add(row: number, group: number, weight: number) {
    const value = this.get(row);
    if (Number.isNaN(value)) return;
    const seen = this.weight[group] + weight;
    const distance = value - this.mean[group];
    this.weight[group] = seen;
    this.total[group] += value * weight;
    this.mean[group] += (distance * weight) / seen;
    this.squares[group] += weight * distance * (value - this.mean[group]);
  }
  merge(into: number, from: number) {
    const a = this.weight[into];
    const b = this.weight[from];
    if (b === 0) return;
    const distance = this.mean[from] - this.mean[into];
    this.mean[into] += (distance * b) / (a + b);
    this.squares[into] +=
      this.squares[from] + (distance * distance * a * b) / (a + b);
    this.weight[into] = a + b;
    this.total[into] += this.total[from];
  }
  result(group: number) {
    const weight = this.weight[group];
    if (this.fn === 'sum') return this.total[group];
    if (weight === 0) return null;
    if (this.fn === 'average') return this.total[group] / weight;
    return Math.sqrt(Math.max(this.squares[group], 0) / weight);
  }
}

class Extreme extends Aggregate<number | null> {
  private best = new Float64Array(0);
  private get: NumberGetter = () => NaN;
  constructor(
    private readonly of: Expr,
    private readonly largest: boolean,
    ...rest: [Condition | undefined, boolean]
  ) {
    super(...rest);
  }
  grow(count: number) {
    this.best = grown(this.best, count, NaN);
  }
  bind(segment: Segment) {
    this.get = bindNumber(this.of, segment);
  }
  add(row: number, group: number) {
    this.offer(group, this.get(row));
  }
  merge(into: number, from: number) {
    this.offer(into, this.best[from]);
  }
  result(group: number) {
    const value = this.best[group];
    return Number.isNaN(value) ? null : value;
  }
  private offer(group: number, value: number) {
    const best = this.best[group];
    if (Number.isNaN(best) || (this.largest ? value > best : value < best)) {
      this.best[group] = value;
    }
  }
}

/** The value of the latest (or earliest) event that has one. */
class Edge extends Aggregate<AttributeValue | null> {
  private times = new Float64Array(0);
  private values: (AttributeValue | undefined)[] = [];
  private get: ValueGetter = () => undefined;
  private timestamps = new Float64Array(0);
  constructor(
    private readonly of: Expr,
    private readonly latest: boolean,
    ...rest: [Condition | undefined, boolean]
  ) {
    super(...rest);
  }
  grow(count: number) {
    this.times = grown(this.times, count);
  }
  bind(segment: Segment) {
    this.get = bindValue(this.of, segment);
    this.timestamps = segment.timestamps;
  }
  add(row: number, group: number) {
    this.offer(group, this.timestamps[row], this.get(row));
  }
  merge(into: number, from: number) {
    this.offer(into, this.times[from], this.values[from]);
  }
  result(group: number) {
    return this.values[group] ?? null;
  }
  private offer(
    group: number,
    time: number,
    value: AttributeValue | undefined,
  ) {
    if (value === undefined) return;
    const known = this.times[group];
    if (
      this.values[group] === undefined ||
      (this.latest ? time >= known : time < known)
    ) {
      this.times[group] = time;
      this.values[group] = value;
    }
  }
}

class Uniques extends Aggregate<number | AttributeValue[]> {
  private readonly sets: (Set<AttributeValue> | undefined)[] = [];
  private get: ValueGetter = () => undefined;
  constructor(
    private readonly of: Expr,
    private readonly limit: number | undefined,
    ...rest: [Condition | undefined, boolean]
  ) {
    super(...rest);
  }
  grow() {}
  bind(segment: Segment) {
    this.get = bindValue(this.of, segment);
  }
  add(row: number, group: number) {
    const value = this.get(row);
    if (value !== undefined) (this.sets[group] ??= new Set()).add(value);
  }
  merge(into: number, from: number) {
    for (const value of this.sets[from] ?? []) {
      (this.sets[into] ??= new Set()).add(value);
    }
  }
  result(group: number) {
    const set = this.sets[group];
    if (this.limit === undefined) return set?.size ?? 0;
    return [...(set ?? [])].slice(0, this.limit);
  }
}

/** Exact percentiles by nearest rank: the smallest value with p % at or below it. */
class Percentile extends Aggregate<Record<string, number | null>> {
  private readonly values: (number[] | undefined)[] = [];
  private get: NumberGetter = () => NaN;
  constructor(
    private readonly of: Expr,
    private readonly points: number[],
    ...rest: [Condition | undefined, boolean]
  ) {
    super(...rest);
  }
  grow() {}
  bind(segment: Segment) {
    this.get = bindNumber(this.of, segment);
  }
  add(row: number, group: number) {
    const value = this.get(row);
    if (!Number.isNaN(value)) (this.values[group] ??= []).push(value);
  }
  merge(into: number, from: number) {
    const own = (this.values[into] ??= []);
    for (const value of this.values[from] ?? []) own.push(value);
  }
  result(group: number, inTimeseries: boolean) {
    const sorted = Float64Array.from(this.values[group] ?? []).sort();
    const result: Record<string, number | null> = {};
    for (const point of this.points) {
      const rank = Math.max(Math.ceil((point / 100) * sorted.length), 1);
      const none = inTimeseries ? 0 : null;
      result[String(point)] = sorted.length === 0 ? none : sorted[rank - 1];
    }
    return result;
  }
}

/** Counts in bins of a value; the base of histogram, apdex and ladders. */
abstract class Bins<R> extends Aggregate<R> {
  protected counts = new Float64Array(0);
  private get: NumberGetter = () => NaN;
  constructor(
    private readonly of: Expr,
    protected readonly bins: number,
    ...rest: [Condition | undefined, boolean]
  ) {
    super(...rest);
  }
  override get cells() {
    return this.bins;
  }
  /** The bin of a value; one that is out of range is not counted. */
  protected abstract binOf(value: number): number;
  grow(count: number) {
    this.counts = grown(this.counts, count * this.bins);
  }
  bind(segment: Segment) {
    this.get = bindNumber(this.of, segment);
  }
  add(row: number, group: number, weight: number) {
    const value = this.get(row);
    if (Number.isNaN(value)) return;
    const bin = this.binOf(value);
    if (bin < this.bins) this.counts[group * this.bins + bin] += weight;
  }
  merge(into: number, from: number) {
    for (let bin = 0; bin < this.bins; bin += 1) {
      this.counts[into * this.bins + bin] +=
        this.counts[from * this.bins + bin];
    }
  }
  protected binsOf(group: number): number[] {
    const begin = group * this.bins;
    return [...this.counts.subarray(begin, begin + this.bins)];
  }
}

class Histogram extends Bins<number[]> {
  constructor(
    private readonly spec: AggregateSpec & { fn: 'histogram' },
    extrapolate: boolean,
  ) {
    super(spec.of, spec.buckets, spec.filter, extrapolate);
  }
  binOf(value: number) {
    const { start, width, buckets } = this.spec;
    const bin = Math.floor(((value - start) / width) * buckets);
    return Math.min(Math.max(bin, 0), buckets - 1);
  }
  result(group: number) {
    return this.binsOf(group);
  }
}

interface ApdexResult {
  score: number | null;
  count: number;
  s: number;
  t: number;
  f: number;
}

class Apdex extends Bins<ApdexResult> {
  constructor(
    private readonly spec: AggregateSpec & { fn: 'apdex' },
    extrapolate: boolean,
  ) {
    super(spec.of, 3, spec.filter, extrapolate);
  }
  binOf(value: number) {
    if (value <= this.spec.t) return 0;
    return value <= this.spec.t * 4 ? 1 : 2;
  }
  result(group: number) {
    const [s, t, f] = this.binsOf(group);
    const count = s + t + f;
    return { score: count === 0 ? null : (s + t / 2) / count, count, s, t, f };
  }
}

/** Element k counts the values at or below (strict: below) threshold k. */
class Ladder extends Bins<number[]> {
  private latest: { group: number; sums: number[] } | undefined;
  constructor(
    private readonly spec: AggregateSpec & { fn: 'ladder' },
    extrapolate: boolean,
  ) {
    super(spec.of, spec.thresholds.length, spec.filter, extrapolate);
  }
  binOf(value: number) {
    const { thresholds, strict } = this.spec;
    let low = 0;
    let high = thresholds.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const within = strict
        ? value < thresholds[middle]
        : value <= thresholds[middle];
      if (within) high = middle;
      else low = middle + 1;
    }
    return low;
  }
  result(group: number) {
    // Asked once for each rung of a row.
    if (this.latest?.group !== group) {
      const sums = this.binsOf(group);
      for (let k = 1; k < sums.length; k += 1) sums[k] += sums[k - 1];
      this.latest = { group, sums };
    }
    return this.latest.sums;
  }
}

export function createAggregate(
  spec: AggregateSpec,
  extrapolate: boolean,
): Aggregate {
  const { filter } = spec;
  switch (spec.fn) {
    case 'count':
      return new Count(spec.of, filter, extrapolate);
    case 'sum':
    case 'average':
    case 'stddev':
      return new Moments(spec.of!, spec.fn, filter, extrapolate);
    case 'min':
    case 'max':
      return new Extreme(spec.of, spec.fn === 'max', filter, false);
    case 'latest':
    case 'earliest':
      return new Edge(spec.of, spec.fn === 'latest', filter, false);
    case 'uniqueCount':
      return new Uniques(spec.of, undefined, filter, false);
    case 'uniques':
      return new Uniques(spec.of, spec.limit, filter, false);
    case 'percentile':
      return new Percentile(spec.of, spec.points, filter, false);
    case 'histogram':
      return new Histogram(spec, extrapolate);
    case 'apdex':
      return new Apdex(spec, extrapolate);
    default:
      return new Ladder(spec, extrapolate);
  }
}
