import { Segment } from '../store/Segment';
import { Aggregate, AggregateSpec, grown } from './Aggregate';
import { Condition, Expr } from './ast';
import { bindNumber, NumberGetter } from './evaluate';

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

export class Histogram extends Bins<number[]> {
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

export class Apdex extends Bins<ApdexResult> {
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
export class Ladder extends Bins<number[]> {
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
