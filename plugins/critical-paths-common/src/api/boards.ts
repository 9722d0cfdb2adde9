import type { BoardWindow, PathState, Series, Signals } from './board';
import type { BurnSeverity } from './budget';

/** The four boards. */
export const BOARD_SIGNALS = [
  'uptime',
  'throughput',
  'error-rate',
  'latency',
] as const;
export type BoardSignal = (typeof BOARD_SIGNALS)[number];

/** One path on the board of one signal. */
export interface SignalBoardRow {
  entityRef: string;
  namespace: string;
  name: string;
  title: string;
  /** Entity ref of the Domain. */
  businessModel: string;
  /** Entity ref of the owner. */
  owner: string;
  state: PathState;
  stateReasons: string[];
  /** In the board's unit; null without data. */
  value: number | null;
  /** The same over the window before; null without data. */
  previous: number | null;
  /** The target in the board's unit, when an objective of the path is about this signal. */
  target: number | null;
  /** Whether that objective is met over its own window; null without one or without data. */
  met: boolean | null;
  /** Requests in the window. */
  valid: number;
  /** Age of the oldest feed at the place where the path is measured, seconds. */
  ageSeconds: number | null;
  sparkline: Series;
}

/** Answer of `GET /boards/:signal`. */
export interface SignalBoardResponse {
  signal: BoardSignal;
  /** `percent` (0..100), `perMinute` or `ms` (95th percentile). */
  unit: 'percent' | 'perMinute' | 'ms';
  /** The formula behind `value`. */
  formula: string;
  window: BoardWindow;
  from: string;
  to: string;
  generatedAt: string;
  rows: SignalBoardRow[];
}

/** The paths of one owner, those of the groups below it included. */
export interface TeamRow {
  /** Entity ref of the owner; of a Group in most cases. */
  entityRef: string;
  title: string;
  /** Parent group that has a row of its own. */
  parent?: string;
  /** Refs of the paths, those of groups below included. */
  paths: string[];
  /** Paths that name this owner itself. */
  ownPaths: number;
  /** Number of paths by state. */
  states: Partial<Record<PathState, number>>;
  /** The worst state of its paths. */
  state: PathState;
  /** Sums over the paths. Latency is of all requests together. */
  signals: Signals;
  /** Smallest share of an error budget that is left; null without one. */
  budgetRemaining: number | null;
  /** The most urgent burn alert of its paths. */
  alert: BurnSeverity | null;
}

/** Answer of `GET /teams`. */
export interface TeamsResponse {
  window: BoardWindow;
  from: string;
  to: string;
  generatedAt: string;
  rows: TeamRow[];
}
