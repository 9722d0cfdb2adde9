import type { TelemetrySelection } from '@rocket/plugin-critical-paths-common';
import type { MinuteRange } from './ranges';

/** Resolution in which a source is asked. */
export type WindowLevel = 'minute' | 'hour';

/**
 * Resolution of stored rows. Quarters of an hour are the sums of their minutes;
 * hours too, or they were read as hours from the source; days (UTC) are the sums
 * of their hours. All of them are up to date with every write, those that are
 * not over included. Minutes are kept as they were answered; the longer rows
 * leave out planned downtime.
 */
export type RowLevel = WindowLevel | 'quarter' | 'day';

/** One application at one step of one path, and how its requests are told apart at the source. */
export interface SeriesDescriptor {
  pathRef: string;
  componentRef: string;
  step: string;
  selection: TelemetrySelection;
}

/** A registered series and what is known about its feed. Times ending in `At` are minutes since the epoch. */
export interface Series extends SeriesDescriptor {
  id: number;
  /** What the source answered for; sorted, not touching. */
  covered: MinuteRange[];
  /** End of the newest minute that the source answered for. */
  watermarkAt?: number;
  /** The newest minute with a request. */
  newestDataAt?: number;
  /** Seconds since the epoch. */
  lastSuccessTime?: number;
  /** Seconds since the epoch. */
  lastErrorTime?: number;
  lastError?: string;
  sourceUrl?: string;
  /**
   * Bound of the relative error of percentiles, as a ratio, where the source's
   * latency buckets are wider than those of `LATENCY_SCALE`.
   */
  latencyError?: number;
}

/** Exact count for one latency threshold. */
export interface ThresholdCount {
  /** Milliseconds. */
  threshold: number;
  /** Requests at most that long. */
  within: number;
  /** Requests that were looked at; less than `valid` where the threshold was not known yet. */
  of: number;
}

/** Counts of one interval. */
export interface SignalCell {
  valid: number;
  good: number;
  /** Pairs of bucket index and count, flat: `[index, count, index, count, …]`. */
  histogram: number[];
  thresholds: ThresholdCount[];
}

/** One stored interval of a series; `at` is its start in minutes since the epoch. */
export interface SignalRow extends SignalCell {
  seriesId: number;
  at: number;
}

/** Counts of one stored interval of a series. */
export interface SignalCount {
  seriesId: number;
  at: number;
  valid: number;
  good: number;
}

/** What the source answered for one series over the whole of `[from, to)`. Intervals without requests are left out. */
export interface WindowEntry {
  seriesId: number;
  latencyError?: number;
  cells: (SignalCell & { at: number })[];
}

/** A window that was read again; whatever was stored in it before is replaced. */
export interface WindowWrite {
  level: WindowLevel;
  /** Minutes since the epoch; for hours aligned to 60. */
  from: number;
  to: number;
  entries: WindowEntry[];
  /** Time of the answer, seconds since the epoch. */
  time: number;
}

/** A query as it was sent. */
export interface StoredQuery {
  source: string;
  account?: string;
  query: string;
}

/** A change of stored rows (`[from, to)`, empty when only the status of a feed changed). */
export interface StoreChange {
  seq: number;
  from: number;
  to: number;
  /** Undefined: any series. */
  seriesIds?: number[];
}

/** Limits for {@link SignalStore.prune}. */
export interface PruneLimits {
  /** Minute rows before this minute go. */
  minutesBefore: number;
  /** Hour rows before this minute go; the start of a day, so that no day is ever summed up from a part of its hours. */
  hoursBefore: number;
  /** Day rows before this minute go, and series that nobody wanted since. */
  daysBefore: number;
  /** Change records before this time (seconds) go. */
  changesBefore: number;
  signal?: AbortSignal;
}

/**
 * Keeps counts, not ratios. All methods throw `ServiceUnavailableError` while
 * the database cannot be reached.
 */
export interface SignalStore {
  /** Registers what is new, notes that all of them are still wanted, and answers them in the order given. */
  registerSeries(
    descriptors: SeriesDescriptor[],
    time: number,
  ): Promise<Series[]>;
  /** Every series that was ever registered and not pruned. */
  listSeries(): Promise<Series[]>;
  /**
   * Replaces the window for all entries, sums up the hours and days that it
   * touches, and notes the success, all in one transaction per slice of entries.
   * Writing the same window twice changes nothing.
   */
  replaceWindow(write: WindowWrite): Promise<void>;
  /**
   * Sums up the quarters, hours and days of a path that overlap `[from, to)`
   * again, after planned downtime was declared or withdrawn.
   */
  sumUpAgain(
    pathRef: string,
    from: number,
    to: number,
    time: number,
  ): Promise<void>;
  /** Notes that the source could not answer. Stored rows stay. */
  recordFailures(
    failures: { seriesIds: number[]; message: string }[],
    time: number,
  ): Promise<void>;
  /** Forgets that anything from `at` on was answered: it was asked for before it happened. */
  truncateCoverage(seriesIds: number[], at: number): Promise<void>;
  /** Rows with `from <= at < to`, in order of series and time. */
  readRows(
    level: RowLevel,
    seriesIds: number[],
    from: number,
    to: number,
  ): Promise<SignalRow[]>;
  /** Valid and good of {@link readRows} alone: much less to read. */
  readCounts(
    level: RowLevel,
    seriesIds: number[],
    from: number,
    to: number,
  ): Promise<SignalCount[]>;
  /** Replaces the queries shown for the given paths. */
  saveQueries(queries: Map<string, StoredQuery[]>, time: number): Promise<void>;
  listQueries(pathRef: string): Promise<StoredQuery[]>;
  setSourceUrls(urls: { seriesId: number; url: string }[]): Promise<void>;
  /** Changes with a higher number than `seq`, in order. `oldest` is the oldest number kept. */
  changesSince(
    seq: number,
  ): Promise<{ changes: StoreChange[]; oldest?: number }>;
  /** Deletes old rows in slices; answers how many. Stops between slices when aborted. */
  prune(limits: PruneLimits): Promise<number>;
}
