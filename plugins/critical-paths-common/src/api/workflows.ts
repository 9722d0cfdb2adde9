import type { WorkflowCriticality, WorkflowMethod } from '../workflow';
import type { WorkflowCheckResult } from '../workflowValues';
import type { BoardWindow } from './board';

/**
 * `running`: goes on. `passed`: every step did what is expected. `failed`: it
 * stopped at a step. `aborted`: the backend ended during the run, so it says
 * nothing about the path.
 */
export const WORKFLOW_RUN_STATUSES = [
  'running',
  'passed',
  'failed',
  'aborted',
] as const;
export type WorkflowRunStatus = (typeof WORKFLOW_RUN_STATUSES)[number];

/** What one step of a run did. Secrets are replaced by `[redacted]`. */
export interface WorkflowStepEvidence {
  name: string;
  title: string;
  status: 'passed' | 'failed' | 'not-reached';
  /** Target of the request as the workflow names it. */
  target: string;
  /** For example `POST http://localhost:7101/v1/accounts`; left out when the request was never built. */
  request?: string;
  /** `Idempotency-Key` that was sent. */
  idempotencyKey?: string;
  /** Status code of the answer; left out without an answer. */
  httpStatus?: number;
  /** Start, milliseconds after the start of the run. */
  startedAfterMs: number;
  /** Milliseconds until the whole answer was read. */
  durationMs: number;
  checks: WorkflowCheckResult[];
  /** Variables that later steps may use; sensitive ones are `[redacted]`. */
  extracted: Record<string, string>;
  /** Why the step failed. */
  error?: string;
}

/** One run as a list shows it. */
export interface WorkflowRunSummary {
  id: string;
  status: WorkflowRunStatus;
  trigger: 'schedule' | 'manual';
  /** Entity ref of who started it by hand. */
  startedBy?: string;
  startedAt: string;
  /** Null while it runs. */
  endedAt: string | null;
  durationMs: number | null;
  failedStep?: string;
  message?: string;
}

/** One run with its evidence. */
export interface WorkflowRunDetail extends WorkflowRunSummary {
  pathRef: string;
  workflow: string;
  /** Empty until the run ended. */
  steps: WorkflowStepEvidence[];
}

/** Uptime by synthetic runs; never part of the request-based availability. */
export interface WorkflowUptime {
  /** Runs of the window that ended with a verdict. */
  runs: number;
  passed: number;
  /** passed / runs, 0..1; null without a run. */
  completed: number | null;
}

/** One workflow of a path with its last runs. */
export interface WorkflowView {
  name: string;
  title: string;
  criticality: WorkflowCriticality;
  target: string;
  everySeconds: number;
  deadlineMs: number;
  alertAfter: number;
  steps: {
    name: string;
    title: string;
    method: WorkflowMethod;
    path: string;
    target: string;
    /** Number of expectations. */
    checks: number;
  }[];
  /** `not-run` before the first run and while there is nothing to run against. */
  status: 'passed' | 'failed' | 'not-run' | 'stale';
  /** Why it has this status, for people. */
  message?: string;
  running: boolean;
  /** Failed runs in a row. */
  failures: number;
  /** Start of the next scheduled run; null before the first look. */
  nextRunAt: string | null;
  uptime: WorkflowUptime;
  /** The newest first, at most 30. */
  runs: WorkflowRunSummary[];
}

/** Answer of `GET /paths/:namespace/:name/workflows`. */
export interface WorkflowsResponse {
  pathRef: string;
  window: BoardWindow;
  generatedAt: string;
  /** True when the caller may start a run. */
  mayRun: boolean;
  workflows: WorkflowView[];
}

/** Answer of `GET …/workflows/:workflow/runs`. */
export interface WorkflowRunsResponse {
  /** The newest first. */
  runs: WorkflowRunSummary[];
  /** Value of `before` for the next page; null on the last one. */
  nextBefore: string | null;
}

/** Answer of `POST …/workflows/:workflow/runs`, with status 202. */
export interface WorkflowStartResponse {
  id: string;
}
