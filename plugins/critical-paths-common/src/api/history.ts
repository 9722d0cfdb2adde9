import type { Signals } from './board';

/** One calendar month (UTC) of a path, from day rollups. */
export interface HistoryMonth {
  /** `YYYY-MM`. */
  month: string;
  /** First and last day that were counted, ISO 8601 UTC; the current month is not over. */
  from: string;
  to: string;
  /** Share of the month's minutes that the source answered for, 0..1. */
  observed: number;
  signals: Signals;
  /** One result per objective of the path today, held against the calendar month. */
  objectives: {
    /** Index into `objectives` of the path. */
    objective: number;
    /** Percent, or requests per minute for throughput; null without data. */
    actual: number | null;
    met: boolean | null;
    /** Share of the month's budget that was left, 1 = untouched. */
    budgetRemaining: number | null;
  }[];
}

/** Answer of `GET /paths/:namespace/:name/history`. */
export interface HistoryResponse {
  entityRef: string;
  generatedAt: string;
  /** Newest first, at most 13; months without any row are left out. */
  months: HistoryMonth[];
}
