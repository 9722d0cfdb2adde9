import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import type {
  DeployRequest,
  Effect,
  EffectEvent,
  EffectRequest,
  EffectState,
  GitToken,
  IsolationReport,
  Environment,
  NameAvailability,
  NewRelicPlan,
  NewRelicPlanRequest,
  Operation,
  OperationPlan,
  OperationRequest,
  PlanRequest,
  PreflightReport,
  Repository,
  ServiceLog,
  ServiceStatus,
} from '@rocket/plugin-provisioning-common';

/** Which effects; all conditions hold at once. */
export interface EffectQuery {
  subject?: string;
  owner?: string;
  environment?: string;
  run?: string;
  type?: string;
  state?: EffectState[];
  /** Only those with a greater sequence. */
  after?: number;
  /** At most 1000, which is the default. */
  limit?: number;
}

/** How other backend plugins reach provisioning; the calls act for `credentials`. */
export interface ProvisioningService {
  checkName(
    name: string,
    options: { credentials: BackstageCredentials },
  ): Promise<NameAvailability>;
  /**
   * `ConflictError` when the name is taken by another owner's or a non-empty
   * repository; the same request again returns the same repository. With a
   * `requestId` (a scaffolder task's id, say) that holds after the first push
   * too, so that an interrupted run can go on.
   */
  createRepository(
    request: {
      name: string;
      owner: string;
      description?: string;
      requestId?: string;
    },
    options: { credentials: BackstageCredentials },
  ): Promise<Repository>;
  /** `NotFoundError` when there is none. */
  getRepository(
    name: string,
    options: { credentials: BackstageCredentials },
  ): Promise<Repository>;
  createGitToken(
    request: { repository: string; access: 'read' | 'write' },
    options: { credentials: BackstageCredentials },
  ): Promise<GitToken>;
  /** Accepted at once; follow it with `getService`. Repeating it for the same commit does nothing new. */
  deploy(
    request: DeployRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<ServiceStatus>;
  /** Every service of the runtimes, by name. */
  listServices(options: {
    credentials: BackstageCredentials;
  }): Promise<ServiceStatus[]>;
  getService(
    name: string,
    options: { credentials: BackstageCredentials },
  ): Promise<ServiceStatus>;
  getLog(
    name: string,
    request: { after?: number; limit?: number },
    options: { credentials: BackstageCredentials },
  ): Promise<ServiceLog>;
  /** Whether a run could make these things; writes nothing anywhere. */
  preflight(
    request: { effects: EffectRequest[] },
    options: { credentials: BackstageCredentials },
  ): Promise<PreflightReport>;
  /**
   * Written and being made when it returns; follow it with `getEffect`, or
   * wait with `waitForEffect`. The same request again finds it. With
   * `deferred` the caller makes the thing itself and sends the same request
   * without it when that is done. `ConflictError` names who has it.
   */
  requestEffect(
    request: EffectRequest & { deferred?: boolean },
    options: { credentials: BackstageCredentials },
  ): Promise<Effect>;
  /**
   * Waits until an effect is `live` and returns it.
   * @throws with the effect's message when it failed, or goes or went again;
   * `ServiceUnavailableError` when provisioning does not answer for a minute
   */
  waitForEffect(
    id: string,
    options: {
      credentials: BackstageCredentials;
      signal?: AbortSignal;
      /** Hears what the effect's message is, when it changes. */
      onProgress?: (message: string) => void;
    },
  ): Promise<Effect>;
  /** By sequence, ascending. */
  listEffects(
    query: EffectQuery,
    options: { credentials: BackstageCredentials },
  ): Promise<Effect[]>;
  getEffect(
    id: string,
    options: { credentials: BackstageCredentials },
  ): Promise<Effect>;
  listEffectEvents(
    id: string,
    options: { credentials: BackstageCredentials },
  ): Promise<EffectEvent[]>;
  /** Looks at the outside world now. */
  observeEffect(
    id: string,
    options: { credentials: BackstageCredentials },
  ): Promise<Effect>;
  /** What an operation would do; changes nothing. */
  plan(
    request: PlanRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<OperationPlan>;
  /**
   * Stored when it returns; follow it with `getOperation`. `ConflictError` when
   * the digest is outdated or another operation of the subject is under way.
   */
  requestOperation(
    request: OperationRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<Operation>;
  getOperation(
    id: string,
    options: { credentials: BackstageCredentials },
  ): Promise<Operation>;
  /** What would be made in New Relic for a service; makes nothing. `NotFoundError` where New Relic's module is not installed. */
  planNewRelic(
    request: NewRelicPlanRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<NewRelicPlan>;
  /** One of the configuration or one on demand. `NotFoundError` when there is none. */
  getEnvironment(
    name: string,
    options: { credentials: BackstageCredentials },
  ): Promise<Environment>;
  /** Looks on every database server whether a service can read another one's data; changes nothing. */
  checkDatabaseIsolation(options: {
    credentials: BackstageCredentials;
  }): Promise<IsolationReport[]>;
}
