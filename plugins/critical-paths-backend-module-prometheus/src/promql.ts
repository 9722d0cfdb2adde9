import type { TelemetryTarget } from '@rocket/plugin-critical-paths-node';
import type { PrometheusServer } from './config';

/** Marks the rows of an answer that are no histogram bucket. */
export const PART_LABEL = 'rocket_part';

/** A PromQL string in double quotes. */
export function promqlString(value: string): string {
  return `"${value
    .replace(/[\\"]/g, '\\$&')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r')
    .replace(/\t/g, '\\t')}"`;
}

/** Matches exactly these values; RE2, whole value. */
function oneOf(label: string, values: Iterable<string>): string {
  const list = [...new Set(values)].sort();
  return list.length === 1
    ? `${label}=${promqlString(list[0])}`
    : `${label}=~${promqlString(
        list
          .map(value => value.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&'))
          .join('|'),
      )}`;
}

/** `POST /v1/transfers` as method and route; a name without a method is a route. */
export function splitOperation(operation: string): {
  method?: string;
  route: string;
} {
  const parts = /^([A-Z]+) (.+)$/.exec(operation);
  return parts ? { method: parts[1], route: parts[2] } : { route: operation };
}

/** Labels that rows are told apart by, for a group of targets that all name an operation or none. */
export function groupLabels(
  { labels }: PrometheusServer,
  targets: TelemetryTarget[],
): string[] {
  const operations = targets.flatMap(({ operation }) => operation ?? []);
  return [
    labels.application,
    ...(labels.criticalPath ? [labels.criticalPath] : []),
    ...(operations.length > 0
      ? [
          ...(splitOperation(operations[0]).method ? [labels.method] : []),
          labels.route,
        ]
      : []),
  ];
}

/**
 * What counters grew by in the `seconds` before the time of evaluation, summed
 * up by labels, so that windows that lie side by side add up exactly.
 *
 * `increase()` does not do: it extrapolates to the ends of the window, loses
 * what happens between the last sample of one window and the first of the next,
 * and never counts the first sample of a series, which for a rare error is all
 * of it. Here the value of a series at a time is its last sample up to then, so
 * the growths of windows telescope. A counter that is lower than before was
 * restarted: what it had reached in the window counts, and what it counted
 * since from 0. A series that is new counts from 0 when its application was
 * there before; otherwise it is only new to Prometheus.
 */
function growth(
  selector: string,
  known: string,
  by: string[],
  application: string,
  { seconds, lookback }: { seconds: number; lookback: number },
): string {
  const now = `last_over_time(${selector}[${lookback}s])`;
  const before = `last_over_time(${selector}[${lookback}s] offset ${seconds}s)`;
  const peak = `max_over_time(${selector}[${seconds}s])`;
  const wasThere = `group by (${application}) (last_over_time(${known}[${lookback}s] offset ${seconds}s))`;
  return `sum by (${by.join(
    ', ',
  )}) ((${now} - ${before}) >= 0 or (${now} + clamp_min(${peak} - ${before}, 0)) or (${now} and on (${application}) ${wasThere}))`;
}

/**
 * The query for a group of targets. Its rows are growths by application (and
 * path, method, route): with `le` the histogram's buckets, with
 * {@link PART_LABEL} `bad` requests with a bad status, `failed` those without
 * a status but with an error, `valid` all requests when a counter of its own
 * tells them.
 */
export function writeQuery(
  server: PrometheusServer,
  targets: TelemetryTarget[],
  stepSeconds: 60 | 3600,
): string {
  const { labels, duration, requests, match, badStatus, lookbackSeconds } =
    server;
  const operations = targets.flatMap(({ operation }) =>
    operation === undefined ? [] : [splitOperation(operation)],
  );
  const methods = operations.flatMap(({ method }) => method ?? []);
  const matchers = [
    ...Object.entries(match).map(([name, value]) => oneOf(name, [value])),
    oneOf(
      labels.application,
      targets.map(({ appName }) => appName),
    ),
    ...(labels.criticalPath
      ? [
          oneOf(
            labels.criticalPath,
            targets.map(({ criticalPath }) => criticalPath),
          ),
        ]
      : []),
    ...(methods.length > 0 ? [oneOf(labels.method, methods)] : []),
    ...(operations.length > 0
      ? [
          oneOf(
            labels.route,
            operations.map(({ route }) => route),
          ),
        ]
      : []),
  ];
  const select = (metric: string, ...more: string[]) =>
    `${metric}{${[...matchers, ...more].join(',')}}`;
  const counter = requests ?? `${duration}_bucket`;
  const all = requests ? [] : ['le="+Inf"'];
  const by = groupLabels(server, targets);
  // Whether an application was there is told by any of its requests: a route
  // that was never called before is new, its application is not.
  const there = `${counter}{${[
    ...Object.entries(match).map(([name, value]) => oneOf(name, [value])),
    oneOf(
      labels.application,
      targets.map(({ appName }) => appName),
    ),
    ...all,
  ].join(',')}}`;
  const grow = (metric: string, keep: string[], ...more: string[]) =>
    growth(
      select(metric, ...more),
      there,
      [...by, ...keep],
      labels.application,
      { seconds: 60, lookback: lookbackSeconds },
    );
  const part = (name: string, expression: string) =>
    `label_replace(${expression}, "${PART_LABEL}", "${name}", "", "")`;
  const terms = [
    grow(`${duration}_bucket`, ['le']),
    ...(requests ? [part('valid', grow(counter, []))] : []),
    part(
      'bad',
      grow(counter, [], ...all, `${labels.status}=~${promqlString(badStatus)}`),
    ),
    part(
      'failed',
      grow(
        counter,
        [],
        ...all,
        `${labels.status}=""`,
        `${labels.errorType}!=""`,
      ),
    ),
  ];
  const minutes = terms.join(' or ');
  // An hour is the sum of its minutes, never one long difference: a restart in
  // it loses no more than in its minute. 59 m 59 s back from the hour's end are
  // sixty whole minutes, whether the range is closed on the left or not.
  return stepSeconds === 60
    ? minutes
    : `sum_over_time((${minutes})[3599s:60s])`;
}
