import type { ObjectiveResult, PathState } from './api';
import { estimateCountWithin, type SparseHistogram } from './histogram';
import type { CriticalPathObjective } from './kind';

/** Added-up counts of one subject over one window. Averages are never stored or combined. */
export interface SignalCounts {
  valid: number;
  good: number;
  histogram: SparseHistogram;
  /** Exact counts of requests at most this long, by threshold in milliseconds. */
  withinThreshold: Record<number, number>;
  /** Requests of the rows that carry an exact count, by threshold; the rest is estimated from the histogram. */
  thresholdValid?: Record<number, number>;
}

/** Share of good requests, 0..1; undefined without requests. */
export function compliance(good: number, valid: number): number | undefined {
  if (!(valid > 0)) {
    return undefined;
  }
  return Math.min(1, Math.max(0, good / valid));
}

/**
 * Number of bad requests that a target allows:
 * `valid x (100 - target) / 100`. The target is taken to six decimals so that
 * 99.9 % of 1,000,000 gives exactly 1,000.
 */
export function errorBudget(valid: number, targetPercent: number): number {
  return (valid * Math.round((100 - targetPercent) * 1e6)) / 1e8;
}

/**
 * Share of the error budget that is left: `(allowed - bad) / allowed`. 1 is
 * untouched, 0 spent, below 0 overspent; undefined without requests. A target
 * of 100 % allows nothing: 1 without a bad request, else 0.
 */
export function remainingBudget(
  good: number,
  valid: number,
  targetPercent: number,
): number | undefined {
  if (!(valid > 0)) {
    return undefined;
  }
  const bad = Math.max(0, valid - good);
  const allowed = errorBudget(valid, targetPercent);
  if (allowed <= 0) {
    return bad === 0 ? 1 : 0;
  }
  return (allowed - bad) / allowed;
}

function withinOf(counts: SignalCounts, thresholdMs: number) {
  const exact = counts.withinThreshold[thresholdMs] ?? 0;
  const exactOver = counts.thresholdValid
    ? counts.thresholdValid[thresholdMs] ?? 0
    : counts.valid;
  if (exactOver >= counts.valid) {
    return { good: Math.min(exact, counts.valid), estimated: false };
  }
  // Rows from before the objective was written carry no exact count. Their
  // share is read off the histogram of the whole window.
  const estimate = estimateCountWithin(counts.histogram, thresholdMs);
  const rest = counts.valid - exactOver;
  const share = counts.valid > 0 ? estimate / counts.valid : 0;
  return {
    good: Math.min(counts.valid, Math.round(exact + rest * share)),
    estimated: true,
  };
}

/**
 * Holds one objective against the counts of its own rolling window.
 *
 * availability: good requests against the target. latency: requests at most
 * `thresholdMs` long against the target. throughput: requests per observed
 * minute against the target; it has no error budget.
 *
 * @param observedMinutes - minutes of the window that the source answered for
 */
export function evaluateObjective(
  objective: CriticalPathObjective,
  counts: SignalCounts,
  observedMinutes: number,
): ObjectiveResult {
  const { valid } = counts;
  const coverage = Math.min(
    1,
    Math.max(0, observedMinutes / (objective.windowDays * 1440)),
  );
  if (objective.sli === 'throughput') {
    const actual = observedMinutes > 0 ? valid / observedMinutes : null;
    return {
      objective,
      actual,
      met: actual === null ? null : actual >= objective.target,
      budgetRemaining: null,
      valid,
      good: counts.good,
      coverage,
    };
  }
  const { good, estimated } =
    objective.sli === 'latency'
      ? withinOf(counts, objective.thresholdMs ?? 0)
      : { good: counts.good, estimated: false };
  const share = compliance(good, valid);
  const remaining = remainingBudget(good, valid, objective.target);
  return {
    objective,
    actual: share === undefined ? null : share * 100,
    met:
      remaining === undefined
        ? null
        : valid - good <= errorBudget(valid, objective.target),
    budgetRemaining: remaining ?? null,
    valid,
    good,
    coverage,
    ...(estimated ? { estimated: true } : {}),
  };
}

/** The budget below which an objective is at risk, as New Relic draws it (25 %). */
export const AT_RISK_BUDGET = 0.25;

/** What is known about the feed of one application of a path. */
export interface ApplicationFeed {
  /** Name for people, used in reasons. */
  label: string;
  /** Steps that the application serves. */
  steps: string[];
  /** False when the catalog does not have it. */
  known: boolean;
  /** now - end of the newest minute that the source answered for, in seconds; undefined before the first answer. */
  ageSeconds?: number;
  /** now - newest minute with a request, in seconds; undefined when there is none in the kept data. */
  quietSeconds?: number;
  lastError?: string;
}

/** Limits for {@link evaluateState}. */
export interface StateLimits {
  /** A feed that the source has not answered for this long is stale. */
  staleAfterSeconds: number;
  /** A step without any request for this long is stale, though the source answers. */
  quietAfterSeconds: number;
}

export interface StateInput {
  /** Names of the steps that must be seen; the first is the entry step. */
  steps: string[];
  feeds: ApplicationFeed[];
  /** Requests in the window that is shown, at the place where the subject is measured. */
  validInWindow: number;
  objectives: ObjectiveResult[];
  limits: StateLimits;
  /** Further reasons why part of the subject cannot be seen. */
  problems?: string[];
}

/** The state and why, the worst reason first. */
export interface StateResult {
  state: PathState;
  reasons: string[];
}

function duration(seconds: number): string {
  if (seconds < 120) {
    return `${Math.round(seconds)} s`;
  }
  if (seconds < 7200) {
    return `${Math.round(seconds / 60)} min`;
  }
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86_400)} days`;
}

function days(count: number): string {
  return count === 1 ? 'day' : `${count} days`;
}

function percent(value: number): string {
  return `${Number(value.toFixed(3))} %`;
}

/** Name of an objective for people, for example `availability 99.9 % over 28 days`. */
export function describeObjective(objective: CriticalPathObjective): string {
  const over =
    objective.windowDays === 1 ? '1 day' : `${objective.windowDays} days`;
  switch (objective.sli) {
    case 'latency':
      return `latency ${objective.target} % within ${objective.thresholdMs} ms over ${over}`;
    case 'throughput':
      return `throughput ${objective.target} per minute over ${over}`;
    default:
      return `availability ${objective.target} % over ${over}`;
  }
}

/**
 * The state of a path, or of one application of it, over its data. The first
 * rule that applies gives the state; the reasons of all others follow.
 *
 * 1. `exhausted`: an error budget is spent. Bad news is never hidden by a feed
 *    that went away since.
 * 2. `unknown`: the catalog does not have a component of the path, or an
 *    application was never answered for by its source.
 * 3. `no-data`: not one request in the window.
 * 4. `unknown`: none of the applications of a step has any data.
 * 5. `stale`: an application's feed is older than `staleAfter`, or a step has
 *    seen no request for `quietAfter`.
 * 6. `no-data`: an objective has no request in its own window.
 * 7. `at-risk`: less than a quarter of a budget is left, or throughput is
 *    below its target.
 * 8. `no-objective`: measured, but there is nothing to hold it against.
 * 9. `healthy`.
 *
 * An application that joined a step and has no requests yet does not change a
 * path whose other applications serve that step.
 */
export function evaluateState(input: StateInput): StateResult {
  const { feeds, limits } = input;
  const found: { state: PathState; reason: string }[] = [];
  const add = (state: PathState, reason: string) =>
    found.push({ state, reason });
  const judged = input.objectives.map(result => ({
    result,
    name: describeObjective(result.objective),
  }));

  for (const { result, name } of judged) {
    if (result.budgetRemaining !== null && result.budgetRemaining <= 0) {
      add(
        'exhausted',
        `error budget spent: ${name}, measured ${percent(result.actual ?? 0)}`,
      );
    }
  }
  for (const feed of feeds) {
    if (!feed.known) {
      add('unknown', `the catalog has no ${feed.label}`);
    } else if (feed.ageSeconds === undefined) {
      add(
        'unknown',
        `${feed.label} was never measured${
          feed.lastError ? `: ${feed.lastError}` : ''
        }`,
      );
    }
  }
  for (const problem of input.problems ?? []) {
    add('unknown', problem);
  }
  if (feeds.length === 0) {
    add('unknown', 'no application serves it');
  }
  if (!(input.validInWindow > 0)) {
    add('no-data', 'no requests in the window');
  }
  for (const step of input.steps) {
    const serving = feeds.filter(f => f.known && f.steps.includes(step));
    if (
      serving.length > 0 &&
      serving.every(f => f.quietSeconds === undefined)
    ) {
      add('unknown', `step ${step} has no data`);
    }
  }
  for (const feed of feeds) {
    if (
      feed.known &&
      feed.ageSeconds !== undefined &&
      !(feed.ageSeconds <= limits.staleAfterSeconds)
    ) {
      add(
        'stale',
        `${feed.label} was last measured ${duration(feed.ageSeconds)} ago${
          feed.lastError ? `: ${feed.lastError}` : ''
        }`,
      );
    }
  }
  for (const step of input.steps) {
    const quiet = feeds
      .filter(f => f.steps.includes(step) && f.quietSeconds !== undefined)
      .map(f => f.quietSeconds!);
    if (quiet.length > 0 && !(Math.min(...quiet) <= limits.quietAfterSeconds)) {
      add(
        'stale',
        `no requests at step ${step} for ${duration(Math.min(...quiet))}`,
      );
    }
  }
  for (const { result, name } of judged) {
    if (result.actual === null) {
      add(
        'no-data',
        `no requests in the last ${days(
          result.objective.windowDays,
        )} to judge ${name}`,
      );
    }
  }
  for (const { result, name } of judged) {
    if (
      result.budgetRemaining !== null &&
      result.budgetRemaining > 0 &&
      result.budgetRemaining < AT_RISK_BUDGET
    ) {
      add(
        'at-risk',
        `${percent(
          result.budgetRemaining * 100,
        )} of the error budget left: ${name}`,
      );
    } else if (result.budgetRemaining === null && result.met === false) {
      add(
        'at-risk',
        `missed: ${name}, measured ${Number((result.actual ?? 0).toFixed(2))}`,
      );
    }
  }
  if (input.objectives.length === 0) {
    add('no-objective', 'no objective is set');
  }
  return {
    state: found[0]?.state ?? 'healthy',
    reasons: found.map(f => f.reason),
  };
}
