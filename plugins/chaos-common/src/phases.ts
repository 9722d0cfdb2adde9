import type { Criterion, Experiment } from './experiment';

/** One minute of one criterion's path. */
export interface CriterionMinute {
  /** Start, milliseconds since the epoch, a whole minute. */
  start: number;
  /** False when no source has answered for it: the counts say nothing then. */
  observed: boolean;
  /** Events that count. */
  valid: number;
  /** Of them, those that are good by the criterion (fast enough, for latency). */
  good: number;
}

/** What happened, by the engine and by Rocket's own clock; milliseconds since the epoch. */
export interface RunTimes {
  /** When the fault was in place. */
  injectedAt: number;
  /** When it was gone; for a fault that happens once, the moment it happened. */
  endedAt: number;
  /** First alert of the path after the injection. */
  alertAt?: number;
  /** Why the fault was taken away before its time. */
  aborted?: string;
}

/** A phase of one criterion. */
export interface PhaseResult {
  /** Minutes that were observed and had enough events. */
  minutes: number;
  /** Minutes that no source answered for. */
  blind: number;
  events: number;
  /** Percent of good events (requests per minute for throughput) over the phase; null without evidence. */
  value: number | null;
  /** Value of the worst minute; null without evidence. */
  worst: number | null;
  /** Whether every minute with evidence held the bound; null without evidence. */
  held: boolean | null;
  /** Minutes with evidence that did not. */
  breached: number;
}

export interface CriterionResult {
  criterion: Criterion;
  before: PhaseResult;
  during: PhaseResult;
  after: PhaseResult;
  /** Start of the first breached minute since the injection, milliseconds. */
  firstBreachAt?: number;
  /** Start of the first of the minutes in a row that count as recovered. */
  recoveredAt?: number;
  /** The earliest that it can have recovered, were every unknown minute good; undefined: it did not. */
  possiblyRecoveredAt?: number;
  /** Events beyond what the bound allows, during the fault and until recovery. */
  budgetSpent: number;
}
const MINUTE = 60_000;
/** Length of the window before the fault that the steady state is read from, in minutes. */
export const BEFORE_MINUTES = 10;
const floor = (time: number) => Math.floor(time / MINUTE) * MINUTE;
const ceil = (time: number) => Math.ceil(time / MINUTE) * MINUTE;

/** Value of a minute by its criterion; for latency `good` counts the fast enough. */
function valueOf(
  criterion: Criterion,
  valid: number,
  good: number,
  minutes = 1,
) {
  return criterion.sli === 'throughput'
    ? valid / minutes
    : (good / valid) * 100;
}

/** A whole minute says something when it was observed and had enough events; throughput is about having few. */
function hasEvidence(
  criterion: Criterion,
  minute: CriterionMinute,
  minimum: number,
) {
  return (
    minute.observed &&
    (criterion.sli === 'throughput' || minute.valid >= minimum)
  );
}

const holds = (criterion: Criterion, minute: CriterionMinute) =>
  valueOf(criterion, minute.valid, minute.good) >= criterion.bound;

function phaseOf(
  criterion: Criterion,
  minutes: CriterionMinute[],
  expected: number,
  minimum: number,
): PhaseResult {
  const evident = minutes.filter(minute =>
    hasEvidence(criterion, minute, minimum),
  );
  const sum = (field: 'valid' | 'good') =>
    evident.reduce((total, minute) => total + minute[field], 0);
  const answered = minutes.filter(({ observed }) => observed).length;
  const values = evident.map(({ valid, good }) =>
    valueOf(criterion, valid, good),
  );
  return {
    minutes: evident.length,
    blind: expected - answered,
    events: sum('valid'),
    value:
      evident.length === 0
        ? null
        : valueOf(criterion, sum('valid'), sum('good'), evident.length),
    worst: evident.length === 0 ? null : Math.min(...values),
    held:
      evident.length === 0
        ? null
        : evident.every(minute => holds(criterion, minute)),
    breached: evident.filter(minute => !holds(criterion, minute)).length,
  };
}

/**
 * Windows of whole minutes. A minute that the fault touches at all belongs to
 * it, so neither steady state is coloured by the fault.
 */
export function windowsOf(
  times: Pick<RunTimes, 'injectedAt' | 'endedAt'>,
  recovery: Experiment['recovery'],
) {
  const from = floor(times.injectedAt);
  // What happens once still touches the minute that it happens in.
  const to = Math.max(ceil(times.endedAt), from + MINUTE);
  return {
    before: { from: from - BEFORE_MINUTES * MINUTE, to: from },
    during: { from, to },
    after: {
      from: to,
      to:
        ceil(times.endedAt + recovery.withinSeconds * 1000) +
        recovery.stableMinutes * MINUTE,
    },
  };
}

/**
 * Start of the first run of `length` minutes in a row that all hold with
 * evidence. `benefit`: minutes without evidence count as held, which tells
 * "it did not come back" from "nobody can know".
 */
function recoveryStart(
  criterion: Criterion,
  minutes: CriterionMinute[],
  length: number,
  minimum: number,
  benefit = false,
): number | undefined {
  let first: number | undefined;
  let run = 0;
  for (const minute of minutes) {
    const good = hasEvidence(criterion, minute, minimum)
      ? holds(criterion, minute)
      : benefit;
    run = good ? run + 1 : 0;
    if (run === 1) first = minute.start;
    if (run >= length) return first;
  }
  return undefined;
}

/** Bad events beyond `(100 - bound) %` of the valid ones; 0 for throughput. */
function spent(criterion: Criterion, minutes: CriterionMinute[]): number {
  if (criterion.sli === 'throughput') return 0;
  const allowed = 1 - criterion.bound / 100;
  const valid = minutes.reduce((total, minute) => total + minute.valid, 0);
  const good = minutes.reduce((total, minute) => total + minute.good, 0);
  return Math.max(0, valid - good - allowed * valid);
}

/** Every minute of a window; those that nobody handed over were not observed. */
function wholeWindow(
  minutes: CriterionMinute[],
  { from, to }: { from: number; to: number },
): CriterionMinute[] {
  const byStart = new Map(minutes.map(minute => [minute.start, minute]));
  return Array.from({ length: (to - from) / MINUTE }, (_, at) => {
    const start = from + at * MINUTE;
    return byStart.get(start) ?? { start, observed: false, valid: 0, good: 0 };
  });
}

/** One criterion over the windows of a run. */
export function evaluateCriterion(
  criterion: Criterion,
  minutes: CriterionMinute[],
  times: RunTimes,
  experiment: Pick<Experiment, 'recovery' | 'minimumEventsPerMinute'>,
): CriterionResult {
  const { recovery, minimumEventsPerMinute: minimum } = experiment;
  const windows = windowsOf(times, recovery);
  const sorted = [...minutes].sort((a, b) => a.start - b.start);
  const within = ({ from, to }: { from: number; to: number }) =>
    sorted.filter(({ start }) => start >= from && start < to);
  const phase = (window: { from: number; to: number }) =>
    phaseOf(
      criterion,
      within(window),
      (window.to - window.from) / MINUTE,
      minimum,
    );
  const since = within({ from: windows.during.from, to: windows.after.to });
  const firstBreach = since.find(
    minute =>
      hasEvidence(criterion, minute, minimum) && !holds(criterion, minute),
  );
  const recovered = (benefit: boolean) =>
    recoveryStart(
      criterion,
      wholeWindow(within(windows.after), windows.after),
      recovery.stableMinutes,
      minimum,
      benefit,
    );
  const recoveredAt = recovered(false);
  const affected = within({
    from: windows.during.from,
    to: recoveredAt ?? windows.after.to,
  }).filter(({ observed }) => observed);
  return {
    criterion,
    before: phase(windows.before),
    during: phase(windows.during),
    after: phase(windows.after),
    firstBreachAt: firstBreach?.start,
    recoveredAt,
    possiblyRecoveredAt: recovered(true),
    budgetSpent: spent(criterion, affected),
  };
}
