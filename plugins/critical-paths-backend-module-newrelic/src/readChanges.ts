import type { NrqlResult } from '@rocket/newrelic-node';
import type {
  SourceDeployment,
  SourceIncident,
} from '@rocket/plugin-critical-paths-node';
import { MAX_EVENTS, type ChangeQuery } from './changeQueries';

type Row = Record<string, unknown>;

/**
 * Close causes that say nothing about recovery: the incident did not end
 * because the signal was well again. With them, time to recover would tell how
 * long people take to tidy up their conditions.
 */
const NOT_RECOVERED: [pattern: RegExp, why: string][] = [
  [/^EXPIRED$/, 'it expired'],
  [/^CONDITION_DELETED$/, 'its condition was deleted'],
  [/^CONDITION_DISABLED$/, 'its condition was disabled'],
  [/^CONDITION_MODIFIED$/, 'its condition was changed'],
  [/^CONDITION_/, 'its condition is no longer what it was'],
  [/^POLICY_DELETED$/, 'its policy was deleted'],
];

/** Why an incident with this cause does not count; undefined when it does. */
export function whyNotCounted(closeCause: string | undefined) {
  const cause = closeCause?.toUpperCase();
  return cause === undefined
    ? undefined
    : NOT_RECOVERED.find(([pattern]) => pattern.test(cause))?.[1];
}

function text(row: Row, column: string): string | undefined {
  const value = row[column];
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function time(row: Row, column: string): Date | undefined {
  const value = row[column];
  return typeof value === 'number' && Number.isFinite(value) && value > 0
    ? new Date(value)
    : undefined;
}

function link(value: string | undefined): string | undefined {
  return value && /^https?:\/\//i.test(value) ? value : undefined;
}

/** True when New Relic had to leave rows out, so that a shorter window is to be asked for. */
export function isCutOff({ results }: NrqlResult): boolean {
  return results.length >= MAX_EVENTS;
}

function keysByName(query: ChangeQuery): Map<string, string[]> {
  const keys = new Map<string, string[]>();
  for (const { appName, key } of query.applications) {
    keys.set(appName, [...(keys.get(appName) ?? []), key]);
  }
  return keys;
}

/**
 * Deployments in the rows of `Deployment` or `ChangeTrackingEvent`.
 *
 * @throws Error when a row has no time
 */
export function readDeployments(
  query: ChangeQuery,
  { results }: NrqlResult,
): SourceDeployment[] {
  const keys = keysByName(query);
  return results.flatMap(row => {
    const at = time(row, 'timestamp');
    if (!at)
      throw new Error(`New Relic's answer has a deployment without time`);
    const appName = text(row, 'entity.name') ?? '';
    const version = text(row, 'version');
    const id =
      text(row, 'deploymentId') ??
      text(row, 'changeTrackingId') ??
      `${appName}@${at.getTime()}:${version ?? ''}`;
    return (keys.get(appName) ?? []).map(key => ({
      key,
      id,
      at,
      version,
      commit: text(row, 'commit'),
      user: text(row, 'user'),
      description: text(row, 'shortDescription') ?? text(row, 'description'),
      url: link(text(row, 'deepLink')),
    }));
  });
}

/** The same deployment can be told as both types of event; one marker is enough. */
export function withoutTwins(deployments: SourceDeployment[]) {
  const seen: SourceDeployment[] = [];
  for (const one of deployments) {
    const twin = seen.some(
      other =>
        other.key === one.key &&
        (other.id === one.id ||
          (one.version !== undefined &&
            other.version === one.version &&
            Math.abs(other.at.getTime() - one.at.getTime()) < 60_000)),
    );
    if (!twin) seen.push(one);
  }
  return seen;
}

/**
 * Incidents from pairs of `open` and `close` rows. A close row tells both
 * times, so it stands for the whole incident; an open one without it is open.
 *
 * @throws Error when a row has no id or no time
 */
export function readIncidents(
  query: ChangeQuery,
  { results }: NrqlResult,
): SourceIncident[] {
  const keys = keysByName(query);
  const incidents = new Map<string, SourceIncident>();
  for (const row of results) {
    const appName = text(row, 'entity.name') ?? '';
    const id = text(row, 'incidentId');
    const openedAt = time(row, 'openTime') ?? time(row, 'timestamp');
    if (!id || !openedAt) {
      throw new Error(
        `New Relic's answer has an incident without ${id ? 'time' : 'id'}`,
      );
    }
    // Documented in upper, seen in lower case.
    const closed = text(row, 'event')?.toLowerCase() === 'close';
    const closedAt = closed
      ? time(row, 'closeTime') ?? time(row, 'timestamp')
      : undefined;
    const closeCause = closed ? text(row, 'closeCause') : undefined;
    for (const key of keys.get(appName) ?? []) {
      const known = incidents.get(`${key} ${id}`);
      if (known?.closedAt) continue;
      incidents.set(`${key} ${id}`, {
        key,
        id,
        title:
          text(row, 'title') ?? text(row, 'conditionName') ?? 'Alert incident',
        priority:
          text(row, 'priority')?.toLowerCase() === 'warning'
            ? 'warning'
            : 'critical',
        condition: text(row, 'conditionName'),
        policy: text(row, 'policyName'),
        muted: row.muted === true || row.muted === 'true',
        openedAt,
        closedAt,
        degradedAt: time(row, 'degradationTime') ?? known?.degradedAt,
        recoveredAt: closed ? time(row, 'recoveryTime') : undefined,
        closeCause,
        notCounted: whyNotCounted(closeCause),
        url: link(text(row, 'incidentLink')),
      });
    }
  }
  return [...incidents.values()];
}
