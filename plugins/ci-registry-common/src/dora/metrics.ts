import type { DoraFigure, DoraMetrics, DoraRow } from '../api';
import type { DoraSamples } from './samples';
import { isoWeek, isoWeeks } from './weeks';

const DAY_MS = 86_400_000;

/** Fewer samples than this are told, and no figure is made of them. */
export const DORA_MINIMUM_SAMPLES = 3;

/** How the four metrics of DevOps Research and Assessment are counted here, for printing beside them. */
export const DORA_DEFINITIONS: Record<keyof DoraMetrics, string> = {
  deploymentFrequency:
    'Deployments of changes to the environment that ended in success in the window, divided by its days. Deployments that put an earlier version back are not counted.',
  leadTime:
    'Time from each commit to the end of the first successful deployment that contains it; the median and the 95th percentile over the commits that were deployed in the window. A commit counts once, however often it is deployed. Of a squash merge the one commit on the deployed branch counts. Commits of the first known deployment count only if its report names them.',
  changeFailureRate:
    'Of the deployments of changes that ended in the window, the share that failed, was rolled back (by its outcome, or because an earlier version was put back next), or was made good by a later deployment that names it. Deployments that were called off, and those that put an earlier version back, are not counted.',
  timeToRecover:
    'Time from the end of a deployment that failed or did harm to the end of the one that made it good: the one that names it, the one that put an earlier version back, or the next successful one. For a deployment whose outcome is rolled-back: from its start to its end. The median over the recoveries of the window.',
};

/** A stretch of time `[from, to)`, milliseconds since 1970. */
export interface DoraWindow {
  from: number;
  to: number;
}

/**
 * Quantile of numbers by linear interpolation between the two nearest ranks
 * (type 7 of Hyndman and Fan); null of none.
 */
export function quantile(values: readonly number[], q: number): number | null {
  if (values.length === 0) {
    return null;
  }
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (sorted.length - 1) * q;
  const low = Math.floor(rank);
  const high = Math.ceil(rank);
  return sorted[low] + (sorted[high] - sorted[low]) * (rank - low);
}

/** What is in the window; the counts of two windows that follow each other add up to those of both. */
export interface DoraCounts {
  /** Changes that ended. */
  changes: number;
  /** Changes that ended in success. */
  successes: number;
  /** Changes that failed, were rolled back or had to be made good. */
  failures: number;
  /** Seconds, one per commit. */
  leadTimes: number[];
  /** Seconds, one per recovery. */
  recoveries: number[];
  /** Failures of the window that nothing made good so far. */
  open: number;
}

/** Counts the samples of one or several components that are in the window. */
export function countDora(
  all: readonly DoraSamples[],
  { from, to }: DoraWindow,
): DoraCounts {
  const within = ({ at }: { at: number }) => at >= from && at < to;
  const counts: DoraCounts = {
    changes: 0,
    successes: 0,
    failures: 0,
    leadTimes: [],
    recoveries: [],
    open: 0,
  };
  for (const samples of all) {
    for (const change of samples.changes.filter(within)) {
      counts.changes += 1;
      counts.successes += change.succeeded ? 1 : 0;
      counts.failures += change.failure ? 1 : 0;
    }
    for (const sample of samples.leadTimes.filter(within)) {
      counts.leadTimes.push(sample.seconds);
    }
    for (const sample of samples.recoveries.filter(within)) {
      counts.recoveries.push(sample.seconds);
    }
    counts.open += samples.open.filter(within).length;
  }
  return counts;
}

function figure(
  samples: number,
  what: [one: string, several: string],
  value: () => number | null,
  note?: string,
): DoraFigure {
  const enough = samples >= DORA_MINIMUM_SAMPLES;
  const tooFew = `${samples === 0 ? 'No' : samples} ${
    samples === 1 ? what[0] : what[1]
  } in the window; a figure takes at least ${DORA_MINIMUM_SAMPLES}`;
  const notes = [enough ? undefined : tooFew, note].filter(Boolean);
  return {
    value: enough ? value() : null,
    samples,
    minimumSamples: DORA_MINIMUM_SAMPLES,
    ...(notes.length > 0 ? { note: notes.join('. ') } : {}),
  };
}

/** The four metrics of the window over one or several components. */
export function doraMetrics(
  samples: readonly DoraSamples[],
  window: DoraWindow,
): DoraMetrics {
  const counts = countDora(samples, window);
  const { changes, successes, failures, leadTimes, recoveries, open } = counts;
  const leadTime = figure(
    leadTimes.length,
    ['deployed commit with a known time', 'deployed commits with a known time'],
    () => quantile(leadTimes, 0.5),
  );
  return {
    deploymentFrequency: figure(
      successes,
      ['successful deployment', 'successful deployments'],
      () => successes / ((window.to - window.from) / DAY_MS),
    ),
    leadTime: {
      ...leadTime,
      p95: leadTime.value === null ? null : quantile(leadTimes, 0.95),
    },
    changeFailureRate: figure(
      changes,
      ['finished deployment', 'finished deployments'],
      () => failures / changes,
    ),
    timeToRecover: figure(
      recoveries.length,
      [
        'recovery from a failed deployment',
        'recoveries from failed deployments',
      ],
      () => quantile(recoveries, 0.5),
      open > 0
        ? `${open} failed ${
            open === 1 ? 'deployment is' : 'deployments are'
          } not made good yet`
        : undefined,
    ),
  };
}

/** How the time to recover from incidents is counted, for printing beside it. */
export const DORA_INCIDENT_DEFINITION =
  'Time from the signal getting bad to its being well again (where monitoring does not tell: from opening to closing) of incidents that ended in the window; the median. Incidents that ended for another reason than recovery are not counted. A failed deployment may be behind an incident: do not add the two up.';

/** An incident as monitoring told it. */
export interface DoraIncident {
  /** When it was closed, milliseconds since 1970; undefined while it is open. */
  closedAt?: number;
  /** Undefined while it is open, and when its end says nothing about recovery. */
  seconds?: number;
}

/** The time to recover from incidents, over those that ended in the window. */
export function incidentTimeToRecover(
  incidents: readonly DoraIncident[],
  { from, to }: DoraWindow,
): DoraFigure {
  const ended = incidents.filter(
    ({ closedAt }) =>
      closedAt !== undefined && closedAt >= from && closedAt < to,
  );
  const recovered = ended.flatMap(({ seconds }) => seconds ?? []);
  const others = ended.length - recovered.length;
  return figure(
    recovered.length,
    ['incident that ended by recovery', 'incidents that ended by recovery'],
    () => quantile(recovered, 0.5),
    others > 0
      ? `${others} ended for another reason and ${
          others === 1 ? 'is' : 'are'
        } not counted`
      : undefined,
  );
}

/** Median lead time by ISO week (UTC) in which the commits were deployed, the oldest week first. */
export function leadTimeByWeek(
  all: readonly DoraSamples[],
  { from, to }: DoraWindow,
): DoraRow['leadTimeByWeek'] {
  const weeks = new Map<string, number[]>(
    isoWeeks(from, to).map(week => [week, []]),
  );
  for (const { at, seconds } of all.flatMap(samples => samples.leadTimes)) {
    if (at >= from && at < to) {
      weeks.get(isoWeek(at))!.push(seconds);
    }
  }
  return [...weeks].map(([week, values]) => ({
    week,
    median: quantile(values, 0.5),
    samples: values.length,
  }));
}
