import type {
  Operation,
  OperationEvent,
  OperationState,
  OperationStep,
} from '@rocket/plugin-provisioning-common';

/** How often a step was tried, and since when; bounds its time over restarts. */
export interface StepAttempts {
  count: number;
  /** ISO 8601. */
  since: string;
}

/** An operation with what only the engine needs. */
export interface OperationRecord extends Operation {
  /** Digest of the plan that was agreed to. */
  digest: string;
  /** One list of groups per environment that wants a yes; the approver belongs to one of each. */
  approvalGroups?: string[][];
  /** By step id. */
  attempts: Record<string, StepAttempts>;
  /** Who wants it to end. */
  cancelBy?: string;
  /** State that people were told of. */
  notified?: OperationState;
}

export interface OperationFilter {
  subject?: string;
  owner?: string;
  environment?: string;
  states?: OperationState[];
}

/** Who changes an operation, and what to write down. */
export interface Change {
  by: string;
  at: Date;
  message?: string;
}

/** What an executor has come to. */
export interface Progress {
  steps: OperationStep[];
  attempts: Record<string, StepAttempts>;
  message?: string;
}

/**
 * Operations, their history and who executes them. An executor holds an
 * operation by a token for a limited time; what it writes without holding it
 * any more is refused (`false`).
 */
export interface OperationStore {
  /**
   * Answers the operation that stands in the way (same subject, not ended, and
   * the same environment or all of them); nothing is written then. Nobody
   * carries it out before `release`, or before `heldUntil`.
   */
  insert(
    record: OperationRecord,
    heldUntil: Date,
  ): Promise<OperationRecord | undefined>;
  release(id: string, at: Date): Promise<void>;
  /** Ends one that nobody has begun. */
  abandon(id: string, change: Change): Promise<void>;
  get(id: string): Promise<OperationRecord | undefined>;
  /** The newest first, at most 200. */
  list(filter: OperationFilter): Promise<OperationRecord[]>;
  events(id: string): Promise<OperationEvent[]>;

  /** False when it waits no longer, or its time is over at `change.at`. */
  decide(
    id: string,
    decision: NonNullable<Operation['decision']>,
    change: Change,
  ): Promise<boolean>;
  /** Ends one that waits. False when it does so no longer. */
  endWaiting(
    id: string,
    to: Extract<OperationState, 'cancelled' | 'failed' | 'expired'>,
    change: Change,
  ): Promise<boolean>;
  /** Ids of those that waited too long. */
  listOverdue(now: Date): Promise<string[]>;
  /** Asks the executor to end it. False when it does not run. */
  requestCancel(id: string, by: string, at: Date): Promise<boolean>;
  /** Runs it again with these steps. False when it is not `failed`, `partial` or `cancelled` any more, or another one is under way. */
  restart(id: string, progress: Progress, change: Change): Promise<boolean>;

  /** The one that waits longest for an executor; it is held until `until`. */
  claim(
    token: string,
    now: Date,
    until: Date,
  ): Promise<OperationRecord | undefined>;
  renew(
    id: string,
    token: string,
    until: Date,
  ): Promise<{ held: boolean; cancelBy?: string }>;
  save(id: string, token: string, progress: Progress): Promise<boolean>;
  /** Lets go of it until `nextAttemptAt`. */
  pause(
    id: string,
    token: string,
    progress: Progress,
    nextAttemptAt: Date,
  ): Promise<boolean>;
  finish(
    id: string,
    token: string,
    state: OperationState,
    progress: Progress,
    change: Change,
  ): Promise<boolean>;

  /** Those whose state people were not told of yet. */
  listUntold(): Promise<OperationRecord[]>;
  setTold(id: string, state: OperationState): Promise<void>;
}
