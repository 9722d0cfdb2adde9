import {
  BURN_RULES,
  LATENCY_SCALE,
  LOWEST_BURN_THRESHOLD,
  MINIMUM_BAD_EVENTS,
  type Aggregation,
  type FigureExplanation,
} from '@rocket/plugin-critical-paths-common';
import type { StoredQuery } from '../store/SignalStore';

const ERROR_PERCENT = Number((LATENCY_SCALE.relativeError * 100).toFixed(1));

const AVAILABILITY: Record<Aggregation, string> = {
  measured:
    'good / valid: requests without a server error over all requests, added up over the applications of the first step and all minutes of the window (request-based availability from telemetry)',
  serial:
    'the product over all steps of good / valid: each step added up over its applications and all minutes of the window first (request-based availability from telemetry)',
  weighted:
    'sum(weight x good / valid) / sum(weight) over all steps: each step added up over its applications and all minutes of the window first (request-based availability from telemetry)',
  worst:
    'the lowest good / valid of all steps: each step added up over its applications and all minutes of the window first (request-based availability from telemetry)',
};

const RULES = BURN_RULES.map(
  rule =>
    `${rule.severity} when ${rule.budgetShare * 100} % of the budget goes in ${
      rule.longWindow
    } (and still in ${rule.shortWindow})`,
).join(', ');

const FORMULAS: Record<
  Exclude<FigureExplanation['figure'], 'availability'>,
  string
> = {
  throughput:
    'valid / minutes: requests of the first step over the minutes of the window that the source answered for',
  errorRate: '1 - good / valid, from the same counts as availability',
  latency: `nearest-rank percentile of the latency histograms of the first step, added up over the window; buckets grow by the fourth root of 2, so a figure between 1 ms and 16 s is at most ${ERROR_PERCENT} % off, or more where the source has wider buckets: each figure says its own bound`,
  errorBudget:
    "allowed = valid x (100 - target) / 100 over the objective's window; remaining = (allowed - bad) / allowed; as time, bad / valid of the window's minutes. Planned downtime counts in neither good nor valid",
  burnRate: `(bad / valid) / (1 - target / 100): 1 spends the budget exactly by the end of its window. Rules: ${RULES}; the threshold is share x objective's window / long window, at least ${LOWEST_BURN_THRESHOLD}, and the long window needs so many requests that ${MINIMUM_BAD_EVENTS} must fail`,
  attribution:
    "per minute: an application's own faults are its bad events less the own faults of all that it depends on (the catalog's dependsOn, else all later steps; the first step depends on all others); the path's bad events are charged to these, and what they do not explain to the first step itself, or to nobody when an application was not observed",
};

/** The formula behind each figure of a path and the queries that brought its counts. */
export function explain(
  queries: StoredQuery[],
  aggregation: Aggregation,
): FigureExplanation[] {
  return [
    {
      figure: 'availability',
      formula: AVAILABILITY[aggregation],
      queries,
    },
    ...(Object.keys(FORMULAS) as (keyof typeof FORMULAS)[]).map(figure => ({
      figure,
      formula: FORMULAS[figure],
      queries,
    })),
  ];
}
