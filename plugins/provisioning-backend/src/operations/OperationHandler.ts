import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import type { JsonObject, JsonValue } from '@backstage/types';
import type {
  OperationKind,
  OperationState,
  OperationStep,
  PlanRequest,
  PlanStep,
} from '@rocket/plugin-provisioning-common';
import type { Actor } from '../effects/EffectLedger';
import type { OperationRecord } from './OperationStore';

/** A plan as its kind sees it; digest and approval are added for all kinds alike. */
export interface PlanDraft {
  /** The environment that it is about, where the kind chooses it. */
  environment?: string;
  /** Entity ref of the owner; keeps it when somebody else asks later. */
  owner: string;
  /** Everybody whose things are touched; who asks belongs to all of them. */
  owners: string[];
  /** Environments that are touched; each can want a yes. */
  environments: string[];
  steps: PlanStep[];
  warnings: string[];
  /** Everything else that the plan was made from; another value makes the digest another one. */
  basis: JsonValue;
}

/** What a step may use. */
export interface StepContext {
  /** Aborts when the backend stops, the operation is cancelled or another executor has it. */
  signal: AbortSignal;
  /** Who asked for the operation; without credentials, since it can be long ago. */
  actor: Actor;
  /** Milliseconds since 1970. */
  now: number;
}

/** `retry`: not there yet, ask again after `afterMs`. */
export type StepResult =
  | { outcome: 'done'; message?: string }
  | { outcome: 'retry'; afterMs: number; message: string }
  | { outcome: 'manual'; instruction: string };

/** One kind of operation: how it is planned, and what its steps do. */
export interface OperationHandler {
  readonly kind: OperationKind;
  /** Whether the steps after a failed one are carried out all the same. */
  readonly onFailure: 'stop' | 'continue';
  /** Longest time for one step with all its attempts, in milliseconds. */
  readonly stepTimeMs: number;
  /** @throws InputError that names the field. */
  parseInput(input: JsonObject): JsonObject;
  /** Looks only. @throws when there is nothing to plan: an error for who asks. */
  plan(
    request: PlanRequest,
    credentials?: BackstageCredentials,
  ): Promise<PlanDraft>;
  /** Whatever has to be taken for it before it begins. @throws when it cannot be had; it is given up then. */
  admit?(operation: OperationRecord): Promise<void>;
  /** Can be repeated, and can follow a crash at any point of an earlier call. */
  run(
    operation: OperationRecord,
    step: OperationStep,
    context: StepContext,
  ): Promise<StepResult>;
  /** Before the end is written; can be repeated. */
  ended?(
    operation: OperationRecord,
    state: OperationState,
    message?: string,
  ): Promise<void>;
}
