import type {
  WorkflowRunStatus,
  WorkflowStepEvidence,
} from '@rocket/plugin-critical-paths-common';

/**
 * How far the clocks of replicas may differ. What lies further in the future
 * than was ever set, by more than this, was written before a clock went back.
 */
export const MAX_CLOCK_SKEW_MS = 60_000;

/** Names one workflow. */
export interface WorkflowKey {
  pathRef: string;
  workflow: string;
}

/** How a workflow is. Times in milliseconds since the epoch. */
export interface WorkflowState extends WorkflowKey {
  nextDue: number;
  /** True while somebody holds the lease. */
  running: boolean;
  last?: {
    status: 'passed' | 'failed';
    started: number;
    ended: number;
    durationMs: number;
    failedStep?: string;
    message?: string;
  };
  /** Failed runs in a row. */
  failures: number;
  /** True when the owner knows that it fails. */
  notified: boolean;
  /** Why it was not run when it was last due. */
  skipped?: string;
}

export interface StoredRun extends WorkflowKey {
  id: string;
  status: WorkflowRunStatus;
  trigger: 'schedule' | 'manual';
  startedBy?: string;
  started: number;
  ended?: number;
  durationMs?: number;
  failedStep?: string;
  message?: string;
}

/** What a run found. */
export interface RunVerdict {
  status: 'passed' | 'failed';
  durationMs: number;
  failedStep?: string;
  message?: string;
  steps: WorkflowStepEvidence[];
}

/** Passed and failed runs; aborted ones do not count. */
export interface RunCounts extends WorkflowKey {
  passed: number;
  failed: number;
}

/**
 * Keeps workflows and their runs. At most one run of a workflow goes on, over
 * all replicas: whoever claims it holds a lease and renews it; a lease that ran
 * out belongs to a backend that is gone. All methods throw
 * `ServiceUnavailableError` while the database is away.
 */
export interface WorkflowStore {
  /** One entry per workflow that was ever due. */
  states(now: number, pathRef?: string): Promise<WorkflowState[]>;
  /**
   * Takes the lease and notes the run. `busy` while another run goes on,
   * `not-due` when `onlyDue` is set and its time has not come.
   */
  claim(
    run: WorkflowKey & {
      id: string;
      trigger: 'schedule' | 'manual';
      startedBy?: string;
      onlyDue: boolean;
      everyMs: number;
      leaseMs: number;
    },
    now: number,
  ): Promise<'claimed' | 'busy' | 'not-due'>;
  /** False when the lease is lost: the run must end. */
  renew(key: WorkflowKey, runId: string, leaseUntil: number): Promise<boolean>;
  /** Stores the verdict; undefined when the lease is lost, and nothing is stored. */
  finish(
    key: WorkflowKey,
    runId: string,
    verdict: RunVerdict,
    now: number,
  ): Promise<WorkflowState | undefined>;
  /** Ends a run without a verdict. */
  abort(
    key: WorkflowKey,
    runId: string,
    reason: string,
    now: number,
  ): Promise<void>;
  /** Ends the runs whose lease ran out; answers how many. */
  abortLost(now: number, maxLeaseMs: number): Promise<number>;
  /** Notes that there was nothing to run against. */
  skip(
    key: WorkflowKey & { everyMs: number },
    reason: string,
    now: number,
  ): Promise<void>;
  setNotified(key: WorkflowKey, notified: boolean): Promise<void>;
  /** Runs that started at `from` or later; by hour when `hourly` is set, then from the start of the hour of `from`. */
  countRuns(
    from: number,
    options?: { hourly?: boolean; pathRef?: string },
  ): Promise<RunCounts[]>;
  /** The newest first; `before` is an exclusive start time. */
  listRuns(
    key: WorkflowKey,
    options: { limit: number; before?: number },
  ): Promise<StoredRun[]>;
  readRun(
    key: WorkflowKey,
    id: string,
  ): Promise<(StoredRun & { steps: WorkflowStepEvidence[] }) | undefined>;
  /** Deletes what is older; answers the number of rows. */
  prune(limits: { runsBefore: number; hoursBefore: number }): Promise<number>;
}
