import { NrqlFragment, nrql, nrqlString } from '@rocket/newrelic-node';
import { LATENCY_SCALE } from '@rocket/plugin-critical-paths-common';
import type {
  TelemetryRequest,
  TelemetryTarget,
} from '@rocket/plugin-critical-paths-node';

/** NRQL refuses longer texts. */
export const MAX_NRQL_LENGTH = 4_000;
/** TIMESERIES has no more buckets per query. */
export const MAX_BUCKETS = 366;
/** What LIMIT MAX means: facets beyond this number are left out of an answer. */
export const MAX_FACETS = 5_000;
/**
 * Rows (facets x buckets) that one query may be answered with. A row has about
 * 60 columns, 700 to 900 bytes of JSON, so a query stays below 4 MB and a
 * request of five below the client's limit of 32 MiB.
 */
export const MAX_ROWS = 4_000;

/** One NRQL query and the targets that its answer is about. */
export interface PlannedQuery {
  nrql: string;
  targets: TelemetryTarget[];
  /** Attributes in the order of the answer's `facet` array. */
  facets: ('criticalPath' | 'appName' | 'name')[];
  /** Latency thresholds with a column of their own, ascending. */
  thresholdsMs: number[];
  /** Epoch seconds, inclusive. */
  from: number;
  /** Epoch seconds, exclusive. */
  to: number;
  stepSeconds: 60 | 3600;
}

export interface QueryPlan {
  queries: PlannedQuery[];
  /** Targets that no query can be written for. */
  refused: { key: string; message: string }[];
}

type Window = Pick<PlannedQuery, 'from' | 'to' | 'stepSeconds'>;

/** Column with the number of requests that took at most this long. */
export function thresholdColumn(thresholdMs: number): string {
  return `t${String(thresholdMs).replace('.', '_')}`;
}

function countWithin(thresholdMs: number, column: string): NrqlFragment {
  // `duration` is in seconds; microseconds are precise enough for any bound.
  const seconds = Math.round(thresholdMs * 1_000) / 1_000_000;
  return nrql`filter(count(*), WHERE duration <= ${seconds}) AS ${column}`;
}

// Booleans are compared with IS, never with "="; `http.statusCode` is a string.
// Work without a status (a consumer, a job) is good unless it ended in an error.
const GOOD = nrql`filter(count(*), WHERE numeric(http.statusCode) < 500 OR (http.statusCode IS NULL AND (error IS FALSE OR error IS NULL))) AS ${'good'}`;

/**
 * The columns of every query: requests, good ones, and requests up to each
 * bound of the latency scale. The last bucket has no end, so it needs no column.
 */
const BASE_COLUMNS = nrql.join([
  nrql`count(*) AS ${'n'}`,
  GOOD,
  ...LATENCY_SCALE.upperMs
    .slice(0, LATENCY_SCALE.lastIndex)
    .map((upperMs, index) => countWithin(upperMs, `b${index}`)),
]);

function unique<T>(values: T[]): T[] {
  return [...new Set(values)];
}

function thresholdsOf(targets: TelemetryTarget[]): number[] {
  return unique(targets.flatMap(target => target.thresholdsMs)).sort(
    (a, b) => a - b,
  );
}

function writeNrql(targets: TelemetryTarget[], window: Window): string {
  const columns = nrql.join([
    BASE_COLUMNS,
    ...thresholdsOf(targets).map(ms => countWithin(ms, thresholdColumn(ms))),
  ]);
  const conditions = [
    nrql`appName IN ${unique(targets.map(({ appName }) => appName))}`,
    nrql`criticalPath IN ${unique(targets.map(t => t.criticalPath))}`,
  ];
  const facets = [nrql`criticalPath`, nrql`appName`];
  if (targets[0].operation !== undefined) {
    conditions.push(nrql`name IN ${unique(targets.map(t => t.operation!))}`);
    facets.push(nrql`name`);
  }
  const step = window.stepSeconds === 60 ? nrql`1 minute` : nrql`1 hour`;
  // SINCE is inclusive and UNTIL exclusive. Buckets are aligned to the end of
  // the window, so an aligned end makes every bucket start on the clock.
  return nrql`FROM Transaction SELECT ${columns} WHERE ${nrql.join(
    conditions,
    ' AND ',
  )} FACET ${nrql.join(facets)} TIMESERIES ${step} SINCE ${
    window.from * 1_000
  } UNTIL ${window.to * 1_000} LIMIT MAX EXTRAPOLATE`.toString();
}

/** Facets that the answer can have at most: every combination of the listed values. */
function countCombinations(targets: TelemetryTarget[]): number {
  return (
    new Set(targets.map(t => t.appName)).size *
    new Set(targets.map(t => t.criticalPath)).size *
    new Set(targets.map(t => t.operation)).size
  );
}

function fits(targets: TelemetryTarget[], window: Window): boolean {
  const buckets = (window.to - window.from) / window.stepSeconds;
  const combinations = countCombinations(targets);
  return (
    combinations < MAX_FACETS &&
    combinations * buckets <= MAX_ROWS &&
    writeNrql(targets, window).length <= MAX_NRQL_LENGTH
  );
}

function findFault(target: TelemetryTarget): string | undefined {
  const names = [
    ['application name', target.appName],
    ['criticalPath value', target.criticalPath],
    ['operation', target.operation],
  ] as const;
  for (const [what, value] of names) {
    if (value === undefined) continue;
    if (value === '') return `The ${what} is empty`;
    try {
      nrqlString(value);
    } catch {
      return `The ${what} ${JSON.stringify(
        value.slice(0, 80),
      )} contains control or invisible characters, so New Relic cannot be asked about it`;
    }
  }
  const bad = target.thresholdsMs.find(ms => !(ms > 0 && Number.isFinite(ms)));
  return bad === undefined
    ? undefined
    : `The latency threshold ${bad} is not a positive number of milliseconds`;
}

function compare(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  return (a ?? '') < (b ?? '') ? -1 : 1;
}

/** Cuts `[from, to)` into the fewest windows that TIMESERIES can answer, about equally long. */
function cutWindow(request: TelemetryRequest): Window[] {
  const { stepSeconds } = request;
  const from = request.from.getTime() / 1_000;
  const to = request.to.getTime() / 1_000;
  const buckets = (to - from) / stepSeconds;
  const parts = Math.ceil(buckets / MAX_BUCKETS);
  const cut = (part: number) =>
    from + Math.floor((buckets * part) / parts) * stepSeconds;
  return Array.from({ length: parts }, (_, part) => ({
    from: cut(part),
    to: cut(part + 1),
    stepSeconds,
  }));
}

/**
 * Writes as few queries as the limits of NRQL allow for targets of one account.
 * Targets with and without an operation are kept apart, since only the former
 * are faceted by transaction name.
 */
export function planQueries(
  targets: TelemetryTarget[],
  request: TelemetryRequest,
): QueryPlan {
  const refused: QueryPlan['refused'] = [];
  const usable = targets.filter(target => {
    const message = findFault(target);
    if (message) refused.push({ key: target.key, message });
    return !message;
  });
  // Neighbours share a path, hence its name, thresholds and column texts.
  usable.sort(
    (a, b) =>
      Number(a.operation !== undefined) - Number(b.operation !== undefined) ||
      compare(a.criticalPath, b.criticalPath) ||
      compare(a.appName, b.appName) ||
      compare(a.operation, b.operation),
  );

  const windows = cutWindow(request);
  const longest = windows.reduce<Window | undefined>(
    (best, window) =>
      best && best.to - best.from >= window.to - window.from ? best : window,
    undefined,
  );
  if (!longest) return { queries: [], refused };

  const groups: TelemetryTarget[][] = [];
  for (const target of usable) {
    if (writeNrql([target], longest).length > MAX_NRQL_LENGTH) {
      refused.push({
        key: target.key,
        message: `The names and thresholds of this application make an NRQL query of more than ${MAX_NRQL_LENGTH} characters`,
      });
      continue;
    }
    const group = groups[groups.length - 1];
    if (
      group &&
      (group[0].operation === undefined) === (target.operation === undefined) &&
      fits([...group, target], longest)
    ) {
      group.push(target);
    } else {
      groups.push([target]);
    }
  }
  return {
    refused,
    queries: windows.flatMap(window =>
      groups.map(group => ({
        ...window,
        nrql: writeNrql(group, window),
        targets: group,
        facets:
          group[0].operation === undefined
            ? (['criticalPath', 'appName'] as const).slice()
            : (['criticalPath', 'appName', 'name'] as const).slice(),
        thresholdsMs: thresholdsOf(group),
      })),
    ),
  };
}
