import type { NrqlResult } from '@rocket/newrelic-node';
import { LATENCY_SCALE } from '@rocket/plugin-critical-paths-common';
import type {
  TelemetryBucket,
  TelemetryTarget,
} from '@rocket/plugin-critical-paths-node';
import { MAX_FACETS, type PlannedQuery, thresholdColumn } from './planQueries';

type Row = Record<string, unknown>;

/** Values in the order of the query's facets. */
function readFacets(row: Row, query: PlannedQuery): string[] {
  const { facet } = row;
  const values = Array.isArray(facet)
    ? facet
    : // Answers for a single facet, and some stand-ins, name the attributes.
      query.facets.map(name => row[name]);
  if (
    values.length !== query.facets.length ||
    values.some(value => typeof value !== 'string' && typeof value !== 'number')
  ) {
    throw new Error(
      `New Relic's answer has a row whose facets cannot be told: ${JSON.stringify(
        facet ?? null,
      ).slice(0, 200)}`,
    );
  }
  return values.map(String);
}

/** Start of the row's bucket in epoch seconds, checked against the window. */
function readStart(row: Row, query: PlannedQuery): number {
  const start = row.beginTimeSeconds;
  if (
    typeof start !== 'number' ||
    start < query.from ||
    start >= query.to ||
    start % query.stepSeconds !== 0
  ) {
    throw new Error(
      `New Relic's answer has a bucket that starts at ${JSON.stringify(
        start ?? null,
      )}, which is not a step of the window that was asked for`,
    );
  }
  return start;
}

/** A count; null, as in empty buckets, is 0. Extrapolated counts are rounded. */
function readCount(row: Row, column: string, total?: number): number {
  const value = row[column];
  if (value === null && !total) return 0;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new Error(
      `New Relic's answer has no number in column '${column}' of a bucket${
        total ? ' with requests' : ''
      }`,
    );
  }
  const count = Math.max(0, Math.round(value));
  // Each column is sampled and extrapolated on its own; a part never exceeds the whole.
  return total === undefined ? count : Math.min(count, total);
}

function readBucket(
  row: Row,
  query: PlannedQuery,
  start: number,
  valid: number,
): TelemetryBucket {
  const histogram: Record<number, number> = {};
  let below = 0;
  for (let index = 0; index <= LATENCY_SCALE.lastIndex; index++) {
    const upTo =
      index === LATENCY_SCALE.lastIndex
        ? valid
        : // A bound below its predecessor is sampling noise: an empty bucket.
          Math.max(below, readCount(row, `b${index}`, valid));
    if (upTo > below) histogram[index] = upTo - below;
    below = upTo;
  }
  return {
    start,
    valid,
    good: readCount(row, 'good', valid),
    histogram,
    withinThreshold: Object.fromEntries(
      query.thresholdsMs.map(ms => [
        ms,
        readCount(row, thresholdColumn(ms), valid),
      ]),
    ),
  };
}

/** Requests in the facets that New Relic left out; null, object and array are all possible. */
function countLeftOut(other: unknown): number {
  const rows = Array.isArray(other) ? other : [other];
  return rows.reduce<number>((sum, row) => {
    const n = (row as Row | null)?.n;
    return typeof n === 'number' && n > 0 ? sum + n : sum;
  }, 0);
}

function facetId(values: string[]): string {
  return JSON.stringify(values);
}

function targetFacets(target: TelemetryTarget): string[] {
  const { criticalPath, appName, operation } = target;
  return operation === undefined
    ? [criticalPath, appName]
    : [criticalPath, appName, operation];
}

/**
 * Turns an answer into buckets by target key. A target without a facet had no
 * traffic; a facet that no target asked for is left out.
 *
 * @throws Error saying what is wrong when the answer is cut off or cannot be
 * read in full; a partial answer is never returned
 */
export function readAnswer(
  query: PlannedQuery,
  result: NrqlResult,
): Map<string, TelemetryBucket[]> {
  const keysByFacet = new Map<string, TelemetryTarget[]>();
  for (const target of query.targets) {
    const id = facetId(targetFacets(target));
    keysByFacet.set(id, [...(keysByFacet.get(id) ?? []), target]);
  }
  const buckets = new Map<string, TelemetryBucket[]>(
    query.targets.map(({ key }) => [key, []]),
  );
  const facets = new Set<string>();
  const seen = new Set<string>();

  for (const row of result.results) {
    const id = facetId(readFacets(row, query));
    facets.add(id);
    const targets = keysByFacet.get(id);
    if (!targets) continue;

    const start = readStart(row, query);
    if (seen.has(`${start} ${id}`)) {
      throw new Error(
        `New Relic's answer has the bucket that starts at ${start} twice for one application`,
      );
    }
    seen.add(`${start} ${id}`);
    const valid = readCount(row, 'n');
    if (valid === 0) continue;

    const bucket = readBucket(row, query, start, valid);
    for (const { key, thresholdsMs } of targets) {
      buckets.get(key)!.push({
        ...bucket,
        histogram: { ...bucket.histogram },
        withinThreshold: Object.fromEntries(
          thresholdsMs.map(ms => [ms, bucket.withinThreshold[ms]]),
        ),
      });
    }
  }

  if (facets.size >= MAX_FACETS || countLeftOut(result.otherResult) > 0) {
    throw new Error(
      `New Relic left facets out of its answer (${facets.size} were given), so the figures would be incomplete`,
    );
  }
  return buckets;
}
