/** Planned downtime of a path: its events count neither as good nor as valid. */
export interface MaintenanceWindow {
  id: string;
  /** Entity ref of the path. */
  pathRef: string;
  /** ISO 8601 UTC, full minutes; `from` inclusive, `to` exclusive. */
  from: string;
  to: string;
  reason: string;
  /** Entity ref of who declared it. */
  createdBy: string;
  createdAt: string;
}

/** Body of `POST /maintenance`. */
export interface MaintenanceRequest {
  pathRef: string;
  from: string;
  to: string;
  reason: string;
}

/** Answer of `GET /maintenance`. */
export interface MaintenanceResponse {
  windows: MaintenanceWindow[];
}

/** Body of `POST /paths/:namespace/:name/budget-reset`. */
export interface BudgetResetRequest {
  reason: string;
}

/** A decision that the budgets of a path start anew. */
export interface BudgetReset {
  id: string;
  pathRef: string;
  /** Events before this minute no longer count for the path's objectives. */
  at: string;
  reason: string;
  createdBy: string;
}

/** One rule that the gate looked at. */
export interface GateReason {
  effect: 'allow' | 'warn' | 'block';
  /** Whole sentence for people. */
  message: string;
  /** Path that it is about, when it is about one. */
  pathRef?: string;
  /** Rule that it comes from, for example `burn-rate` or `budget`. */
  rule: string;
}

/** Answer of `GET /gate/:kind/:namespace/:name`. */
export interface GateResponse {
  entityRef: string;
  decision: 'allow' | 'warn' | 'block';
  /** The reason for the decision first. Never empty. */
  reasons: GateReason[];
  generatedAt: string;
}

/** Last result of the worst required workflow of a path, with the runs of all required ones. */
export interface WorkflowSummary {
  /** `not-run` before the first run and while there is nothing to run against; `stale` when it should have run since. */
  status: 'passed' | 'failed' | 'not-run' | 'stale';
  /** Name for people. */
  title: string;
  /** Start of the last run; null before the first one. */
  lastRunAt: string | null;
  /** Length of the last run in milliseconds. */
  durationMs: number | null;
  /** Step that the last run stopped at, when it failed. */
  failedStep?: string;
  /** What went wrong there, or why it has not run, for people. */
  message?: string;
  /** Share of runs of the window that completed, 0..1; null without a run. */
  completed: number | null;
  /** Runs in the window. */
  runs: number;
}
