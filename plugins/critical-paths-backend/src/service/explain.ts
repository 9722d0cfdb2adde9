import {
  LATENCY_SCALE,
  type FigureExplanation,
} from '@rocket/plugin-critical-paths-common';
import type { StoredQuery } from '../store/SignalStore';

const ERROR_PERCENT = Number((LATENCY_SCALE.relativeError * 100).toFixed(1));

const FORMULAS: Record<FigureExplanation['figure'], string> = {
  availability:
    'good / valid: requests without a server error over all requests, added up over the applications of the first step and all minutes of the window (request-based availability from telemetry)',
  throughput:
    'valid / minutes: requests of the first step over the minutes of the window that the source answered for',
  errorRate: '1 - good / valid, from the same counts as availability',
  latency: `nearest-rank percentile of the latency histograms of the first step, added up over the window; buckets grow by the fourth root of 2, so a figure between 1 ms and 16 s is at most ${ERROR_PERCENT} % off`,
};

/** The formula behind each figure of a path and the queries that brought its counts. */
export function explain(queries: StoredQuery[]): FigureExplanation[] {
  return (Object.keys(FORMULAS) as FigureExplanation['figure'][]).map(
    figure => ({ figure, formula: FORMULAS[figure], queries }),
  );
}
