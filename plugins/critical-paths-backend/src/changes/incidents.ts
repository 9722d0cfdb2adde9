import type {
  ChangeMarker,
  IncidentSummary,
} from '@rocket/plugin-critical-paths-common';
import type { StoredChange } from './ChangeStore';

const isoOf = (seconds: number) => new Date(seconds * 1000).toISOString();

/**
 * Seconds that an incident took from the signal getting bad to its being well
 * again, or, where the source does not tell these, from opening to closing.
 * Undefined while it is open, and when its end says nothing about recovery.
 */
export function secondsToRecover(change: StoredChange): number | undefined {
  const { incident, startTime, endTime } = change;
  if (!incident || endTime === undefined || incident.notCounted) {
    return undefined;
  }
  return Math.max(
    0,
    (incident.recoveredTime ?? endTime) - (incident.degradedTime ?? startTime),
  );
}

/**
 * Alerts of `[from, to)`, in seconds: those that are open now, those that were
 * closed in it by recovery, and the mean time that recovery took.
 */
export function summarizeIncidents(
  changes: readonly StoredChange[],
  window: { from: number; to: number },
): IncidentSummary {
  let open = 0;
  const durations: number[] = [];
  for (const change of changes) {
    if (change.kind !== 'incident') {
      continue;
    }
    if (change.endTime === undefined) {
      open += 1;
    } else if (change.endTime >= window.from && change.endTime < window.to) {
      const seconds = secondsToRecover(change);
      if (seconds !== undefined) {
        durations.push(seconds);
      }
    }
  }
  return {
    open,
    closed: durations.length,
    timeToRecoverMinutes:
      durations.length === 0
        ? null
        : durations.reduce((sum, value) => sum + value, 0) /
          durations.length /
          60,
  };
}

/** A stored change as it is marked on charts. */
export function toMarker(change: StoredChange): ChangeMarker {
  const { incident } = change;
  const detail = incident
    ? [
        incident.priority,
        incident.muted ? 'muted' : undefined,
        incident.notCounted
          ? `not in the time to recover: ${incident.notCounted}`
          : undefined,
      ]
        .filter(Boolean)
        .join(', ')
    : change.detail ?? change.version;
  return {
    id: `${change.source}:${change.externalId}`,
    kind: change.kind,
    entityRef: change.entityRef,
    title: change.title,
    at: isoOf(change.startTime),
    until: change.endTime === undefined ? undefined : isoOf(change.endTime),
    detail,
    url: change.url,
    source: change.source,
  };
}
