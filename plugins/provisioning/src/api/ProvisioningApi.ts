import { createApiRef } from '@backstage/frontend-plugin-api';
import type {
  Effect,
  EffectEvent,
  Environment,
  GitToken,
  NameAvailability,
  Operation,
  OperationPlan,
  OperationRequest,
  OperationState,
  PlanRequest,
  Repository,
  ServiceLog,
  ServiceStatus,
} from '@rocket/plugin-provisioning-common';

/** What a person may tell a service to do. */
export type ServiceOperation = 'start' | 'stop' | 'restart';

/** A version that can be gone back to. */
export interface DeployedVersion {
  /** Full SHA. */
  commit: string;
  /** Its name, short commit and time, for people. */
  label: string;
}

/** The provisioning backend as the portal uses it. Errors carry the backend's words. */
export interface ProvisioningApi {
  checkName(name: string, signal?: AbortSignal): Promise<NameAvailability>;
  /** Undefined when the runtime has no such service. */
  getService(
    name: string,
    signal?: AbortSignal,
  ): Promise<ServiceStatus | undefined>;
  /** @param reason - why a service that only approved changes may touch is stopped at once; recorded */
  operate(
    name: string,
    operation: ServiceOperation,
    reason?: string,
  ): Promise<ServiceStatus>;
  /** The newest lines, or those after a cursor. */
  getLog(
    name: string,
    request: { after?: number; limit?: number },
    signal?: AbortSignal,
  ): Promise<ServiceLog>;
  /** Undefined when Rocket's Git host has no such repository. */
  getRepository(
    name: string,
    signal?: AbortSignal,
  ): Promise<Repository | undefined>;
  /** A short-lived password for Git; it cannot be read again. */
  createGitToken(request: {
    repository: string;
    access: 'read' | 'write';
  }): Promise<GitToken>;

  /** What Rocket made, in the order in which it was begun. */
  listEffects(
    filter: { subject?: string; environment?: string; run?: string },
    signal?: AbortSignal,
  ): Promise<Effect[]>;
  /** Every change of an effect's state, the oldest first. */
  listEffectEvents(id: string, signal?: AbortSignal): Promise<EffectEvent[]>;
  /** Looks at the outside world now. */
  observeEffect(id: string): Promise<Effect>;

  /** What an operation would do; nothing happens. */
  plan(request: PlanRequest): Promise<OperationPlan>;
  /** Begins what was planned, or hands it to those who must approve. */
  startOperation(request: OperationRequest): Promise<Operation>;
  /** The newest first. */
  listOperations(
    filter: {
      subject?: string;
      environment?: string;
      state?: OperationState;
    },
    signal?: AbortSignal,
  ): Promise<Operation[]>;
  /** Undefined when there is none of this id. */
  getOperation(
    id: string,
    signal?: AbortSignal,
  ): Promise<Operation | undefined>;
  decideOperation(
    id: string,
    decision: 'approve' | 'reject',
    reason?: string,
  ): Promise<Operation>;
  cancelOperation(id: string): Promise<Operation>;
  /** Goes on with what failed. */
  retryOperation(id: string): Promise<Operation>;

  /** Versions that an environment had, the newest first, without the one that runs; from what deployments were reported. */
  listVersions(
    subject: string,
    environment: string,
    signal?: AbortSignal,
  ): Promise<DeployedVersion[]>;

  listEnvironments(signal?: AbortSignal): Promise<Environment[]>;
  /** Lets an environment that was made on demand stand longer. */
  extendEnvironment(name: string): Promise<Environment>;
}

export const provisioningApiRef = createApiRef<ProvisioningApi>().with({
  id: 'plugin.provisioning.client',
  pluginId: 'provisioning',
});
