import {
  LATENCY_SCALE,
  latencyBucketIndex,
} from '@rocket/plugin-critical-paths-common';
import type {
  TelemetryBucket,
  TelemetryTarget,
} from '@rocket/plugin-critical-paths-node';
import type { PrometheusServer } from './config';
import type { MatrixSeries } from './PrometheusClient';
import { groupLabels, PART_LABEL, splitOperation } from './promql';

/** Requests at most so long, from a histogram's cumulative buckets. */
export interface CumulativeBucket {
  /** Milliseconds; Infinity for the last one. */
  upperMs: number;
  count: number;
}

/** What one target's rows say at one time. */
interface Sample {
  buckets: CumulativeBucket[];
  valid?: number;
  bad: number;
}

export interface TargetAnswer {
  buckets: TelemetryBucket[];
  latencyError?: number;
}

/**
 * Spreads classic buckets over {@link LATENCY_SCALE}: evenly within each
 * bucket, as `histogram_quantile` does, in whole requests whose sum is exact.
 * What is above the last bound goes into the first bucket of the scale above
 * it, so such a percentile is a lower bound.
 */
export function toScale(
  buckets: readonly CumulativeBucket[],
): Record<number, number> {
  const histogram: Record<number, number> = {};
  const add = (index: number, count: number) => {
    if (count > 0) histogram[index] = (histogram[index] ?? 0) + count;
  };
  let lower = 0;
  let below = 0;
  for (const { upperMs, count } of buckets) {
    const inside = Math.max(0, count - below);
    if (inside > 0 && upperMs === Infinity) {
      add(
        lower === 0
          ? LATENCY_SCALE.lastIndex
          : latencyBucketIndex(above(lower)),
        inside,
      );
    } else if (inside > 0) {
      let given = 0;
      const last = latencyBucketIndex(upperMs);
      for (let i = latencyBucketIndex(above(lower)); i <= last; i++) {
        const to =
          i === last ? upperMs : Math.min(upperMs, LATENCY_SCALE.upperMs[i]);
        const upTo = Math.round((inside * (to - lower)) / (upperMs - lower));
        add(i, upTo - given);
        given = upTo;
      }
    }
    lower = upperMs;
    below = Math.max(below, count);
  }
  return histogram;
}

/** The next number; a bucket does not hold its lower bound. */
function above(ms: number): number {
  return ms * (1 + 1e-9);
}

/**
 * Bound of the relative error of a percentile between the first and the last
 * bound of a histogram, as a ratio. A percentile and its estimate are in the
 * same bucket `(lo, hi]`, and the estimate stands for one of our own buckets
 * that reaches into it, so they differ at most by `hi/lo x (1 + e) - 1`, with
 * `e` the error of our scale.
 */
export function latencyErrorOf(boundsMs: readonly number[]): number {
  let worst = 1;
  for (let i = 1; i < boundsMs.length; i++) {
    if (Number.isFinite(boundsMs[i]) && boundsMs[i - 1] > 0) {
      worst = Math.max(worst, boundsMs[i] / boundsMs[i - 1]);
    }
  }
  return worst * (1 + LATENCY_SCALE.relativeError) - 1;
}

function readBound(le: string, unitMs: number): number {
  const value = le === '+Inf' ? Infinity : Number(le);
  if (Number.isNaN(value)) {
    throw new Error(`Prometheus has a bucket with the bound "${le}"`);
  }
  // 0.1 s are 100 ms, not 100.00000000000001.
  return value === Infinity ? value : Math.round(value * unitMs * 1e6) / 1e6;
}

function rowId(values: (string | undefined)[]): string {
  return JSON.stringify(values.map(value => value ?? ''));
}

/** The label values of a target, in the order of {@link groupLabels}. */
function targetId(server: PrometheusServer, target: TelemetryTarget): string {
  const { method, route } = splitOperation(target.operation ?? '');
  return rowId([
    target.appName,
    ...(server.labels.criticalPath ? [target.criticalPath] : []),
    ...(target.operation === undefined
      ? []
      : [...(method === undefined ? [] : [method]), route]),
  ]);
}

/**
 * Turns the rows of a query into buckets by target key. A target without a row
 * had no requests.
 *
 * @throws Error saying what is wrong when the answer cannot be read in full
 */
export function readMatrix(
  server: PrometheusServer,
  targets: TelemetryTarget[],
  stepSeconds: number,
  rows: readonly MatrixSeries[],
): Map<string, TargetAnswer> {
  const by = groupLabels(server, targets);
  const samples = new Map<string, Map<number, Sample>>();
  for (const { metric, values } of rows) {
    const id = rowId(by.map(label => metric[label]));
    const times = samples.get(id) ?? new Map<number, Sample>();
    samples.set(id, times);
    const { le, [PART_LABEL]: part } = metric;
    const upperMs =
      part === undefined && le !== undefined
        ? readBound(le, server.unitMs)
        : undefined;
    for (const [at, text] of values) {
      const value = Number(text);
      if (!Number.isFinite(value)) {
        throw new Error(
          `Prometheus has the value ${text} in a counter of ${
            metric[server.labels.application] ?? 'an application'
          }`,
        );
      }
      const count = Math.max(0, Math.round(value));
      const sample = times.get(at) ?? { buckets: [], bad: 0 };
      times.set(at, sample);
      if (upperMs !== undefined) sample.buckets.push({ upperMs, count });
      else if (part === 'valid') sample.valid = count;
      else sample.bad += count;
    }
  }
  return new Map(
    targets.map(target => [
      target.key,
      answerOf(
        samples.get(targetId(server, target)) ?? new Map(),
        target.thresholdsMs,
        stepSeconds,
      ),
    ]),
  );
}

function answerOf(
  times: ReadonlyMap<number, Sample>,
  thresholdsMs: number[],
  stepSeconds: number,
): TargetAnswer {
  const answer: TargetAnswer = { buckets: [] };
  for (const [at, sample] of [...times].sort((a, b) => a[0] - b[0])) {
    const buckets = sample.buckets.sort((a, b) => a.upperMs - b.upperMs);
    // Buckets of instances with other bounds, or torn samples: never downwards.
    let highest = 0;
    for (const bucket of buckets) {
      highest = Math.max(highest, bucket.count);
      bucket.count = highest;
    }
    if (buckets.length > 0) {
      const last = buckets[buckets.length - 1];
      if (last.upperMs !== Infinity) {
        throw new Error('Prometheus has a histogram without the bucket +Inf');
      }
      answer.latencyError = Math.max(
        answer.latencyError ?? 0,
        latencyErrorOf(buckets.map(({ upperMs }) => upperMs)),
      );
    }
    const valid = sample.valid ?? highest;
    if (valid > 0) {
      answer.buckets.push({
        // A value is the growth up to its time.
        start: at - stepSeconds,
        valid,
        good: Math.max(0, valid - sample.bad),
        histogram: toScale(buckets),
        withinThreshold: Object.fromEntries(
          thresholdsMs.flatMap(ms => {
            const exact = buckets.find(
              ({ upperMs }) => Math.abs(upperMs - ms) <= ms * 1e-9,
            );
            return exact ? [[ms, Math.min(valid, exact.count)]] : [];
          }),
        ),
      });
    }
  }
  return answer;
}
