import type { Experiment } from './experiment';
import { isOneShot } from './faults';
import {
  evaluateCriterion,
  type CriterionMinute,
  type CriterionResult,
  type RunTimes,
} from './phases';

/** What an experiment taught. `not-run` is for boards: a turn that has no result. */
export const VERDICTS = [
  'passed',
  'failed',
  'inconclusive',
  'aborted',
  'not-run',
] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface Evaluation {
  verdict: Exclude<Verdict, 'not-run'>;
  /** Sentences for people, the decisive one first. */
  reasons: string[];
  criteria: CriterionResult[];
  /** From the first breach to the first alert, in seconds; undefined without both. */
  detectionSeconds?: number;
  /** From the end of the fault to the steady state, in seconds; undefined when it did not return or never left. */
  recoverySeconds?: number;
}

/** Minutes without an answer during the fault that a verdict can bear. */
export const BLIND_MINUTES = 1;

function nameOf({ criterion }: CriterionResult): string {
  const path = criterion.criticalPath.replace(/^.*\//, '');
  switch (criterion.sli) {
    case 'availability':
      return `availability of ${path} (at least ${criterion.bound} %)`;
    case 'latency':
      return `latency of ${path} (${criterion.bound} % within ${criterion.thresholdMs} ms)`;
    default:
      return `throughput of ${path} (at least ${criterion.bound} per minute)`;
  }
}

const shown = (value: number | null) =>
  value === null ? 'nothing' : `${Math.round(value * 100) / 100}`;

/** Why a verdict cannot be given; the first that applies decides. */
function doubts(result: CriterionResult): string | undefined {
  const name = nameOf(result);
  if (result.before.held === null) {
    return `Nothing is known of the ${name} before the fault: there was too little traffic, or no source answered.`;
  }
  if (!result.before.held) {
    return `There was no steady state: the ${name} was at ${shown(
      result.before.worst,
    )} before the fault.`;
  }
  if (result.during.blind > BLIND_MINUTES) {
    return `Telemetry was missing for ${result.during.blind} minutes of the fault (${name}).`;
  }
  if (result.during.held === null) {
    return `There was too little traffic during the fault to judge the ${name}.`;
  }
  return undefined;
}

/**
 * The verdict of a run. The engine's own opinion plays no part in it.
 *
 * - `inconclusive`: no steady state before the fault, telemetry missing for
 *   more than one minute of it, or too little traffic; also when the minutes
 *   after it are not known, unless it failed already
 * - `aborted`: taken away before its time
 * - `failed`: a critical criterion was breached during the fault, or was not
 *   back within the recovery objective for the stated minutes in a row
 * - `passed`: everything critical held during the fault and after it
 *
 * @param minutes per criterion of the hypothesis, in its order: those of the windows of {@link windowsOf}
 */
export function evaluateRun(
  experiment: Pick<
    Experiment,
    'hypothesis' | 'fault' | 'recovery' | 'minimumEventsPerMinute'
  >,
  minutes: CriterionMinute[][],
  times: RunTimes,
): Evaluation {
  const { criteria } = experiment.hypothesis;
  if (minutes.length !== criteria.length) {
    throw new TypeError(
      `There are ${criteria.length} criteria and the minutes of ${minutes.length}`,
    );
  }
  const results = criteria.map((criterion, at) =>
    evaluateCriterion(criterion, minutes[at], times, experiment),
  );
  const critical = results.filter(({ criterion }) => criterion.critical);
  const breaches = critical
    .map(result => result.firstBreachAt)
    .filter(at => at !== undefined);
  const firstBreach = breaches.length ? Math.min(...breaches) : undefined;
  const left = critical.filter(result => result.firstBreachAt !== undefined);
  // For what happens once there is nothing to wait for: recovery begins with it.
  const over = isOneShot(experiment.fault) ? times.injectedAt : times.endedAt;
  const deadline = over + experiment.recovery.withinSeconds * 1000;
  const inTime = (at: number | undefined) => at !== undefined && at <= deadline;
  const returned = (result: CriterionResult) => inTime(result.recoveredAt);
  const evaluation = (
    verdict: Evaluation['verdict'],
    reasons: string[],
  ): Evaluation => ({
    verdict,
    reasons: [
      ...reasons,
      ...results
        .filter(
          result => !result.criterion.critical && result.during.held === false,
        )
        .map(
          result =>
            `Not critical: the ${nameOf(result)} went down to ${shown(
              result.during.worst,
            )}.`,
        ),
    ],
    criteria: results,
    detectionSeconds:
      firstBreach !== undefined && times.alertAt !== undefined
        ? Math.max(0, (times.alertAt - firstBreach) / 1000)
        : undefined,
    recoverySeconds:
      left.length > 0 && left.every(returned)
        ? Math.max(
            0,
            ...left.map(result => (result.recoveredAt! - over) / 1000),
          )
        : undefined,
  });

  if (times.aborted !== undefined) {
    return evaluation('aborted', [
      `The fault was taken away early: ${times.aborted}`,
    ]);
  }
  const doubt = critical.map(doubts).find(Boolean);
  if (doubt) return evaluation('inconclusive', [doubt]);

  const breached = critical
    .filter(result => result.during.held === false)
    .map(
      result =>
        `The ${nameOf(result)} went down to ${shown(
          result.during.worst,
        )} during the fault.`,
    );
  const notReturned = critical.filter(result => !returned(result));
  const lost = notReturned
    .filter(result => !inTime(result.possiblyRecoveredAt))
    .map(
      result =>
        `The ${nameOf(result)} was not back for ${
          experiment.recovery.stableMinutes
        } minutes in a row within ${
          experiment.recovery.withinSeconds
        } s after the fault.`,
    );
  if (breached.length + lost.length > 0) {
    return evaluation('failed', [...breached, ...lost]);
  }
  if (notReturned.length > 0) {
    return evaluation('inconclusive', [
      `It is not known whether the ${nameOf(
        notReturned[0],
      )} came back after the fault: telemetry or traffic was missing.`,
    ]);
  }
  return evaluation('passed', [
    'Everything critical held during the fault and after it.',
  ]);
}
