import type {
  ServiceLevelComparison,
  ServiceLevelCounts,
} from '@rocket/plugin-critical-paths-common';
import type { StoredServiceLevel } from './ChangeStore';

/** Largest difference of two measurements of the same thing, in percentage points. */
const AGREED_POINTS = 0.1;
/** Largest part of the valid events that one side may have more: sampling, and requests outside of every path. */
const AGREED_VALID = 0.05;

const isoOf = (seconds: number) => new Date(seconds * 1000).toISOString();

function counts(
  valid: number | null,
  good: number | null,
): ServiceLevelCounts | null {
  return valid === null || good === null
    ? null
    : { valid, good, percent: valid > 0 ? (100 * good) / valid : null };
}

/** Holds what the source measured against what we did. */
export function compareServiceLevel(
  level: StoredServiceLevel,
): ServiceLevelComparison {
  const theirs = counts(level.valid, level.good);
  const ours = counts(level.ourValid, level.ourGood);
  const delta =
    theirs?.percent !== null &&
    theirs?.percent !== undefined &&
    ours?.percent !== null &&
    ours?.percent !== undefined
      ? ours.percent - theirs.percent
      : null;
  return {
    id: level.externalId,
    entityRef: level.entityRef,
    source: level.source,
    name: level.name,
    sli: level.sli,
    thresholdMs: level.thresholdMs,
    criticalPath: level.criticalPath,
    target: level.target,
    windowDays: level.windowDays,
    from: isoOf(level.fromTime),
    to: isoOf(level.toTime),
    theirs,
    ours,
    deltaPoints: delta,
    agrees:
      delta === null
        ? null
        : // A rounding of binary fractions is no difference.
          Math.abs(delta) <= AGREED_POINTS + 1e-9 &&
          Math.abs(ours!.valid - theirs!.valid) <= AGREED_VALID * theirs!.valid,
    comparison: level.comparison,
    query: level.query,
    url: level.url,
    readAt: isoOf(level.readTime),
  };
}
