import type { Aggregation, CriticalPathObjective } from '../kind';
import type { Attribution, AttributionSummary } from './attribution';
import type { BudgetSummary, ObjectiveBudget } from './budget';
import type { ChangeMarker, IncidentSummary } from './changes';
import type { MaintenanceWindow, WorkflowSummary } from './policy';

/** Windows that the boards can be read over. */
export const BOARD_WINDOWS = ['1h', '6h', '24h', '7d', '28d', '30d'] as const;
export type BoardWindow = (typeof BOARD_WINDOWS)[number];

/**
 * State of a path or application over its data. `healthy`, `at-risk` and
 * `exhausted` speak about objectives; the others say why nobody may call it
 * healthy: `no-data` (nothing was ever measured in the window), `stale` (the
 * newest data is older than allowed), `no-objective` (measured, but no target),
 * `unknown` (part of it cannot be seen, for example an unknown component).
 * `maintenance`: planned downtime was declared for now.
 */
export const PATH_STATES = [
  'healthy',
  'at-risk',
  'exhausted',
  'no-data',
  'stale',
  'no-objective',
  'unknown',
  'maintenance',
] as const;
export type PathState = (typeof PATH_STATES)[number];

/** Estimated latency percentiles in milliseconds; null without data. */
export interface LatencySummary {
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
  /** Bound of the relative error of the figures, as a ratio (0.086 = 8.6 %). */
  relativeError: number;
}

/** The four golden signals of one subject over one window. */
export interface Signals {
  /** Requests that count. */
  valid: number;
  /** Requests that were served well: no server error. `errors = valid - good`. */
  good: number;
  /** good / valid, 0..1; null when valid is 0. */
  availability: number | null;
  /** 1 - availability; null when valid is 0. */
  errorRate: number | null;
  /** valid per minute of the window that was observed; null without data. */
  throughputPerMinute: number | null;
  latency: LatencySummary;
}

/** One interval of a chart. Gaps are points with `observed: false`, never zeros. */
export interface SeriesPoint {
  /** Start of the interval, ISO 8601 UTC. */
  start: string;
  /** False when the source was not (yet) asked for the interval or did not answer. */
  observed: boolean;
  /** True when the whole interval lies in planned downtime, which is not observed. */
  maintenance?: boolean;
  valid: number;
  good: number;
  throughputPerMinute: number | null;
  availability: number | null;
  errorRate: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

/** A chart's worth of points. */
export interface Series {
  /** Length of each interval in seconds. */
  stepSeconds: number;
  points: SeriesPoint[];
}

/** One objective held against the stored data of its own rolling window. */
export interface ObjectiveResult {
  objective: CriticalPathObjective;
  /** For availability and latency: percent 0..100; for throughput: requests per minute. Null without data. */
  actual: number | null;
  met: boolean | null;
  /** Share of the error budget left, 1 = untouched, <= 0 = spent; null without data or for throughput. */
  budgetRemaining: number | null;
  valid: number;
  good: number;
  /** Share of the objective's window that was observed, 0..1. */
  coverage?: number;
  /** True when part of `good` is estimated from the latency histogram. */
  estimated?: boolean;
  /** Minutes of the objective's window that are left out as planned downtime. */
  maintenanceMinutes?: number;
  /** Steps without requests in the objective's window, when the aggregation needs every step. */
  missingSteps?: string[];
}

/** The same figures over the window of the same length before. */
export interface PreviousWindow {
  from: string;
  to: string;
  signals: Signals;
}

/** Where the figures come from and how old they are. */
export interface DataStatus {
  /** Ids of the telemetry sources, for example `newrelic`. */
  sources: string[];
  /** End of the newest minute that the source was asked for with success; null before the first success. */
  watermark: string | null;
  /** Start of the newest minute with at least one request; null when there is none. */
  newestData: string | null;
  /** now - watermark, seconds, never negative; null without a watermark. */
  ageSeconds: number | null;
  /** Last failure of the collector for this subject, when it is newer than the last success. */
  lastError: { message: string; at: string } | null;
}

/** One path on the board. */
export interface BoardRow {
  entityRef: string;
  namespace: string;
  name: string;
  title: string;
  description?: string;
  /** Entity ref of the Domain. */
  businessModel: string;
  /** Entity ref of the owner. */
  owner: string;
  type: string;
  lifecycle: string;
  state: PathState;
  /** Why it has this state, for people; the worst reason first. */
  stateReasons: string[];
  signals: Signals;
  /** About 30 to 60 points over the window. */
  sparkline: Series;
  /** How the figures of the steps become those of the path. */
  aggregation: Aggregation;
  objectives: ObjectiveResult[];
  /** Budget and burn of the tightest objective; null without an objective that has a budget. */
  budget: BudgetSummary | null;
  previous: PreviousWindow;
  attribution: AttributionSummary;
  /** Planned downtime that goes on now. */
  maintenance: MaintenanceWindow | null;
  /** Last result of the synthetic workflow; null when the path has none. */
  workflow: WorkflowSummary | null;
  data: DataStatus;
  /** Number of applications, joined ones included. */
  applications: number;
  /** Entity refs named by steps that the catalog does not have. */
  unknownComponents: string[];
}

/** Answer of `GET /paths`. */
export interface BoardResponse {
  window: BoardWindow;
  from: string;
  to: string;
  generatedAt: string;
  rows: BoardRow[];
}

/** One step as shown on the path's page. */
export interface PathStepDetail {
  name: string;
  title: string;
  operation?: string;
  /** Entity refs of the applications that serve this step: the named one first, joined ones after it. */
  applications: string[];
  /** True for the first step: the path's own figures are measured there. */
  entry: boolean;
  /** Weight in the aggregation `weighted`. */
  weight?: number;
}

/** One application of a path. */
export interface PathApplication {
  entityRef: string;
  title: string;
  /** False when the catalog has no such component. */
  known: boolean;
  /** True when it came by its own annotation rather than the path's steps. */
  joined: boolean;
  owner?: string;
  steps: string[];
  state: PathState;
  stateReasons: string[];
  signals: Signals;
  series: Series;
  /** The signals of the window before. */
  previous: Signals;
  /** Alerts and time to recover; null when no source of incidents is set up. */
  incidents: IncidentSummary | null;
  data: DataStatus;
  /** Page of the application at the telemetry source, when one is configured. */
  sourceUrl?: string;
}

/** The query or formula behind a figure. */
export interface FigureExplanation {
  figure:
    | 'availability'
    | 'throughput'
    | 'errorRate'
    | 'latency'
    | 'errorBudget'
    | 'burnRate'
    | 'attribution';
  /** The formula in words and symbols. */
  formula: string;
  /** The query as sent to the source, with the window of the last collection. */
  queries: { source: string; account?: string; query: string }[];
}

/** Answer of `GET /paths/:namespace/:name`. */
export interface PathDetail extends Omit<BoardRow, 'attribution'> {
  window: BoardWindow;
  from: string;
  to: string;
  generatedAt: string;
  series: Series;
  /** Error budget, burn rates and rules, one per objective that has a budget. */
  budgets: ObjectiveBudget[];
  attribution: Attribution;
  /** Deployments, chaos runs, incidents, maintenance and resets of the window, the oldest first. */
  changes: ChangeMarker[];
  /** Planned downtime that overlaps the window or is still to come. */
  maintenanceWindows: MaintenanceWindow[];
  steps: PathStepDetail[];
  applicationDetails: PathApplication[];
  explanations: FigureExplanation[];
}

/** One path of a component, with the component's own figures in it. */
export interface ComponentPathRow {
  path: BoardRow;
  application: PathApplication;
}

/** Answer of `GET /components/:kind/:namespace/:name/paths`. */
export interface ComponentPathsResponse {
  window: BoardWindow;
  from: string;
  to: string;
  generatedAt: string;
  rows: ComponentPathRow[];
}

/** Answer of `POST /collect`, with status 202. */
export interface CollectResponse {
  status: 'triggered' | 'already-running';
}
