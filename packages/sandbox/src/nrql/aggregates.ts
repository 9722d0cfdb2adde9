import { AttributeValue } from '../store/Column';
import { Segment } from '../store/Segment';
import { Aggregate, AggregateSpec, grown } from './Aggregate';
import { Condition, Expr } from './ast';
import { Apdex, Histogram, Ladder } from './bins';
import { bindNumber, bindValue, NumberGetter, ValueGetter } from './evaluate';

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
