import type { ObjectiveResult } from './api';
import { compliance, errorBudget, remainingBudget } from './budget';
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

/** Good and valid events as an objective about availability or latency counts them. */
export function objectiveEvents(
  objective: CriticalPathObjective,
  counts: SignalCounts,
): { valid: number; good: number; estimated: boolean } {
  return {
    valid: counts.valid,
    ...(objective.sli === 'latency'
      ? withinOf(counts, objective.thresholdMs ?? 0)
      : { good: counts.good, estimated: false }),
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
 * @param options - `maintenanceMinutes`: minutes of the window that are left out
 * as planned downtime; `windowMinutes`: length of the window when it is shorter
 * than the objective's, because its budget was reset; `missingSteps`: steps
 * without requests, of which the aggregation needs every one
 */
export function evaluateObjective(
  objective: CriticalPathObjective,
  counts: SignalCounts,
  observedMinutes: number,
  options: {
    maintenanceMinutes?: number;
    windowMinutes?: number;
    missingSteps?: string[];
  } = {},
): ObjectiveResult {
  const { valid } = counts;
  const { maintenanceMinutes = 0, missingSteps = [] } = options;
  const length =
    (options.windowMinutes ?? objective.windowDays * 1440) - maintenanceMinutes;
  const coverage =
    length > 0 ? Math.min(1, Math.max(0, observedMinutes / length)) : 0;
  const extras = {
    ...(maintenanceMinutes > 0 ? { maintenanceMinutes } : {}),
    ...(missingSteps.length > 0 ? { missingSteps } : {}),
  };
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
      ...extras,
    };
  }
  const { good, estimated } = objectiveEvents(objective, counts);
  if (missingSteps.length > 0) {
    // A product or mean over some of the steps would look like all of them.
    return {
      objective,
      actual: null,
      met: null,
      budgetRemaining: null,
      valid,
      good,
      coverage,
      ...extras,
    };
  }
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
    ...extras,
  };
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
