import type { Aggregation } from './kind';
import { compliance } from './budget';

/** Added-up events of one step. */
export interface StepCounts {
  name: string;
  /** Weight in the aggregation `weighted`, > 0. */
  weight: number;
  valid: number;
  good: number;
}

/** Events of a path. `good` is a fraction for all but `measured`. */
export interface PathCounts {
  /** Requests of the entry step: a path is walked as often as it is entered. */
  valid: number;
  good: number;
  /** Steps without requests that the aggregation needs. */
  missing: string[];
}

/**
 * Makes the events of a path from those of its steps, the entry step first.
 *
 * - `measured`: those of the entry step.
 * - `serial`: availability is the product of the availabilities of the steps.
 *   Right when every request passes every step and steps fail independently.
 * - `weighted`: the mean of the availabilities by weight.
 * - `worst`: the lowest availability.
 *
 * For the last three `good = valid of the entry step x availability`. The
 * events of each step are added up over the whole window first, so the result
 * does not depend on how the window is cut or on the order of its parts. A step
 * without requests cannot be judged: it is named in `missing` and left out.
 */
export function aggregateSteps(
  aggregation: Aggregation,
  steps: readonly StepCounts[],
): PathCounts {
  const entry = steps[0];
  if (!entry) {
    return { valid: 0, good: 0, missing: [] };
  }
  if (aggregation === 'measured') {
    return {
      valid: entry.valid,
      good: entry.good,
      missing: entry.valid > 0 ? [] : [entry.name],
    };
  }
  const shares = steps.flatMap(({ name, weight, valid, good }) => {
    const share = compliance(good, valid);
    return share === undefined ? [] : [{ name, weight, share }];
  });
  const known = new Set(shares.map(s => s.name));
  const missing = steps.map(s => s.name).filter(name => !known.has(name));
  if (shares.length === 0 || !(entry.valid > 0)) {
    return { valid: 0, good: 0, missing };
  }
  const combine = (): number => {
    switch (aggregation) {
      case 'serial':
        // Sorted, so that the order of the steps cannot change the last digit.
        return shares
          .map(s => s.share)
          .sort((a, b) => a - b)
          .reduce((product, share) => product * share, 1);
      case 'weighted': {
        const sorted = [...shares].sort(
          (a, b) => a.share - b.share || a.weight - b.weight,
        );
        const total = sorted.reduce((sum, s) => sum + s.weight, 0);
        const failed = sorted.reduce(
          (sum, s) => sum + s.weight * (1 - s.share),
          0,
        );
        return Math.max(0, 1 - failed / total);
      }
      default:
        return Math.min(...shares.map(s => s.share));
    }
  };
  return { valid: entry.valid, good: entry.valid * combine(), missing };
}

/**
 * What one bad event of each step adds to the bad events of the path, by the
 * same window's counts: the weights by which attribution adds up the steps.
 * `serial` is taken to first order (`1 - product = sum` of small failure
 * shares); the caller scales the sum to the path's own bad events.
 */
export function stepFactors(
  aggregation: Aggregation,
  steps: readonly StepCounts[],
): number[] {
  const entry = steps[0];
  if (!entry) {
    return [];
  }
  if (aggregation === 'measured') {
    return steps.map((_, index) => (index === 0 ? 1 : 0));
  }
  const perEvent = (step: StepCounts) =>
    step.valid > 0 ? entry.valid / step.valid : 0;
  if (aggregation === 'serial') {
    return steps.map(perEvent);
  }
  const seen = steps.filter(step => step.valid > 0);
  if (aggregation === 'weighted') {
    const total = seen.reduce((sum, step) => sum + step.weight, 0);
    return steps.map(step => (perEvent(step) * step.weight) / (total || 1));
  }
  let worst: StepCounts | undefined;
  for (const step of seen) {
    if (!worst || step.good / step.valid < worst.good / worst.valid) {
      worst = step;
    }
  }
  return steps.map(step => (step === worst ? perEvent(step) : 0));
}
