import { createExtensionPoint } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import type {
  DeployPhase,
  Observation,
  ServiceLog,
  ServiceState,
} from '@rocket/plugin-provisioning-common';
import type { UndoResult } from './effects';

/** Where a version is to run. */
export interface RuntimeEnvironment {
  /** For example `local`, `staging`, `pr-31-new-limits`. */
  name: string;
  tier: 'development' | 'staging' | 'production';
  /** Made on demand for a branch or a person: the runtime fills its database with the repository's seed command. */
  onDemand?: boolean;
  /** The runtime's own settings of this environment, from the configuration (cluster, namespace). */
  settings: JsonObject;
}

/** One version of one service, as a runtime needs it. */
export interface RuntimeTarget {
  /** Matches `SERVICE_NAME_PATTERN`. */
  name: string;
  entityRef: string;
  owner: string;
  criticalPath?: string;
  /** Absent: the runtime's own, for services from before there were several. */
  environment?: RuntimeEnvironment;
  /** Full SHA. */
  commit: string;
  /** Image of this commit by digest, as its pipeline registered it; runtimes of containers need it. */
  image?: string;
  /** Writes the files of `commit` into an existing, empty directory. */
  checkout(directory: string, signal: AbortSignal): Promise<void>;
}

/** Where a version answers once it is ready. */
export interface RuntimeEndpoint {
  url: string;
  docsUrl?: string;
  database?: string;
}

/** What happened to a running service without anybody asking for it. */
export interface RuntimeChange {
  name: string;
  state: Extract<
    ServiceState,
    'healthy' | 'unhealthy' | 'restarting' | 'failed'
  >;
  /** Why, in a sentence for the service's owner. */
  message?: string;
  /** Adds one restart to the service's count. */
  restarted?: boolean;
}

/** How a runtime tells of its progress: a phase begins, the ones before it are done. */
export type PhaseListener = (
  phase: DeployPhase,
  details?: {
    message?: string;
    /** What exists since the phases before, also if a later one fails. */
    database?: string;
  },
) => Promise<void>;

/**
 * A place where services run. Provisioning keeps what should run and in which
 * state it is; a runtime makes it so. All calls can be repeated: what is
 * already so is left alone.
 */
export interface Runtime {
  /** For example `local`, `kubernetes`. */
  readonly id: string;
  /** Called once before anything else. Ends whatever an earlier, killed process left behind. */
  prepare(): Promise<void>;
  /**
   * Brings a version up and answers when it is ready. Rejects with a reason for
   * the service's owner. It may have ended the version before it by then;
   * provisioning calls `start` with that one to have it back.
   */
  deploy(
    target: RuntimeTarget,
    options: { signal: AbortSignal; onPhase: PhaseListener },
  ): Promise<RuntimeEndpoint>;
  /** Makes sure that a version deployed earlier runs, and answers when it is ready. */
  start(
    target: RuntimeTarget,
    options: { signal: AbortSignal },
  ): Promise<RuntimeEndpoint>;
  /** Ends the service; its data and its address stay. */
  stop(name: string): Promise<void>;
  /**
   * Takes everything of the service from the runtime but its data: processes or
   * objects, address, files. What is not there is no error.
   */
  remove?(target: Omit<RuntimeTarget, 'checkout'>): Promise<UndoResult>;
  /** Sets the number of instances. @throws InputError outside of what the runtime allows. */
  scale?(
    target: RuntimeTarget,
    replicas: number,
    options: { signal: AbortSignal },
  ): Promise<void>;
  /** Hands the service new credentials of its database and makes it use them; the old ones stop working. */
  rotateCredentials?(
    target: RuntimeTarget,
    options: { signal: AbortSignal },
  ): Promise<void>;
  /** What of the service exists and whether it is as deployed. */
  observe?(
    target: RuntimeTarget,
    options: { signal: AbortSignal },
  ): Promise<Observation>;
  readLog(
    name: string,
    request: { after?: number; limit: number },
  ): Promise<ServiceLog>;
  onChange(listener: (change: RuntimeChange) => void): void;
  /** Ends everything that ends with the backend. */
  shutdown(): Promise<void>;
}

export interface ProvisioningRuntimesExtensionPoint {
  /** The id must be free; `local` is built in. */
  addRuntime(runtime: Runtime): void;
}

/** Adds places where services run. */
export const provisioningRuntimesExtensionPoint =
  createExtensionPoint<ProvisioningRuntimesExtensionPoint>({
    id: 'provisioning.runtimes',
  });
