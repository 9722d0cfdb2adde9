import type { JsonObject } from '@backstage/types';

/** What a person can ask for on a component, an environment or a run. */
export const OPERATION_KINDS = [
  'undo',
  'deploy',
  'rollback',
  'scale',
  'rotate',
  'retire',
  'environment-create',
  'environment-delete',
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

/**
 * - `waiting`: for an approver who is not the requester
 * - `partial`: everything that could be done is done; `manual` steps are left
 */
export const OPERATION_STATES = [
  'waiting',
  'running',
  'done',
  'partial',
  'failed',
  'rejected',
  'expired',
  'cancelled',
] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/** One line of a plan; shown before anything happens. */
export interface PlanStep {
  id: string;
  title: string;
  change: 'create' | 'change' | 'remove' | 'keep' | 'manual';
  /** Effect that it is about. */
  effectId?: string;
  /** What exactly happens, what stays and how long; for people. */
  detail: string;
}

/**
 * What each kind of operation asks for: `input` of `POST /plans`.
 *
 * `commit` is a full SHA; `deploy` takes a branch or tag as `ref` as well. An
 * environment's `name` is made from the branch when there is none.
 */
export interface OperationInputs {
  undo: { run: string };
  deploy: { ref?: string; commit?: string; image?: string };
  rollback: { commit: string };
  scale: { replicas: number };
  rotate: Record<string, never>;
  retire: Record<string, never>;
  'environment-create': { branch: string; name?: string; ttlHours?: number };
  'environment-delete': { name: string };
}

/** Body of `POST /plans`. */
export interface PlanRequest {
  kind: OperationKind;
  /** Entity ref of the component; for environments, of the one whose branch runs in it. */
  subject: string;
  environment?: string;
  input: JsonObject;
}

/** Body of `POST /operations`: what was planned, with the digest of the plan that was seen. */
export interface OperationRequest extends PlanRequest {
  digest: string;
  reason?: string;
}

/** Answer of `POST /plans`. The operation is carried out as planned or not at all. */
export interface OperationPlan {
  kind: OperationKind;
  subject: string;
  environment?: string;
  input: JsonObject;
  steps: PlanStep[];
  /** Whether an approver has to agree, and who may. */
  approval?: { approvers: string[]; reason: string };
  warnings: string[];
  /** Digest of what the plan was made from; `POST /operations` with an outdated one is answered 409. */
  digest: string;
}

export interface OperationStep extends PlanStep {
  status: 'pending' | 'running' | 'done' | 'failed' | 'manual' | 'skipped';
  message?: string;
  startedAt?: string;
  finishedAt?: string;
}

export interface Operation {
  id: string;
  kind: OperationKind;
  /** Entity ref of the component (or owner of the environment). */
  subject: string;
  owner: string;
  environment?: string;
  input: JsonObject;
  steps: OperationStep[];
  state: OperationState;
  message?: string;
  /** Why it was asked for. */
  reason?: string;
  requestedBy: string;
  requestedAt: string;
  /** Who agreed or refused, when and why. */
  decision?: { by: string; at: string; approved: boolean; reason?: string };
  approvers?: string[];
  /** ISO 8601; a waiting operation ends then as `expired`. */
  expiresAt?: string;
  finishedAt?: string;
}

/** One change of an operation's state; append-only. */
export interface OperationEvent {
  operationId: string;
  at: string;
  /** Entity ref of the user or subject of the service; `rocket` for what the engine did. */
  actor: string;
  from?: OperationState;
  to: OperationState;
  message?: string;
}

/** State of an environment made on demand. */
export const ENVIRONMENT_STATES = [
  'requested',
  'provisioning',
  'ready',
  'sleeping',
  'expiring',
  'deleting',
  'deleted',
  'failed',
  'delete-failed',
] as const;
export type EnvironmentState = (typeof ENVIRONMENT_STATES)[number];

/** Where services run: one that the configuration names, or one made on demand for a branch or a person. */
export interface Environment {
  name: string;
  title: string;
  runtime: string;
  tier: 'development' | 'staging' | 'production';
  /** Absent for those of the configuration. */
  onDemand?: {
    state: EnvironmentState;
    message?: string;
    owner: string;
    /** Component whose branch runs in it. */
    subject: string;
    branch: string;
    commit?: string;
    requestedBy: string;
    createdAt: string;
    /** ISO 8601; set when it is asked for. */
    expiresAt: string;
    /** How often it can still be prolonged. */
    extensionsLeft: number;
    /** What it costs while it stands, in words and as a figure per day in the configured currency. */
    cost: { note: string; perDay?: number; currency?: string };
    url?: string;
  };
}
