/** Names of repositories and services: DNS label, so that they work as database, host and image names too. */
export const SERVICE_NAME_PATTERN = /^[a-z][a-z0-9-]{1,61}[a-z0-9]$/;

/** A bare Git repository on Rocket's own Git host. */
export interface Repository {
  name: string;
  /** Entity ref of the owner. */
  owner: string;
  description?: string;
  defaultBranch: string;
  /** Clone URL over HTTP, without credentials. */
  cloneUrl: string;
  createdAt: string;
  /** Entity ref of who asked for it. */
  createdBy: string;
  /** Retired: can be read only, since then; ISO 8601. */
  archivedAt?: string;
}

/** Answer of `POST /git-tokens`: a short-lived password for Git over HTTP. */
export interface GitToken {
  /** Use as the password; any user name will do. */
  token: string;
  expiresAt: string;
  access: 'read' | 'write';
  repository: string;
}

/** Phases of bringing a service up, in order. */
export const DEPLOY_PHASES = [
  'queued',
  'checkout',
  'install',
  'database',
  'migrate',
  'start',
  'health',
] as const;
export type DeployPhase = (typeof DEPLOY_PHASES)[number];

export type ServiceState =
  | 'deploying'
  | 'healthy'
  | 'unhealthy'
  | 'restarting'
  | 'stopped'
  | 'failed';

/** What is known about one phase of the last deployment. */
export interface PhaseStatus {
  phase: DeployPhase;
  status: 'pending' | 'running' | 'done' | 'failed';
  startedAt?: string;
  finishedAt?: string;
  message?: string;
}

/** A service on the local runtime. */
export interface ServiceStatus {
  name: string;
  /** Entity ref of the Component. */
  entityRef: string;
  owner: string;
  repository: string;
  /** Environment that it runs in; absent for the runtime itself. */
  environment?: string;
  /** Image of the last deployment by digest, where the runtime runs containers. */
  image?: string;
  /** Number of instances as last asked for. */
  replicas?: number;
  /** Full SHA of the commit that runs or is being brought up. */
  commit?: string;
  state: ServiceState;
  /** Why it is in this state, and what to do about it. */
  message?: string;
  phases: PhaseStatus[];
  /** The last deployment. It can have failed while an earlier commit still runs (`state` tells of the service, this of the deployment). */
  deployment?: {
    commit: string;
    status: 'running' | 'done' | 'failed';
    message?: string;
  };
  /** Base URL of the running service on this machine. */
  url?: string;
  /** URL of its API docs, when it says it has some. */
  docsUrl?: string;
  database?: string;
  restarts: number;
  startedAt?: string;
  updatedAt: string;
}

/** Body of `POST /services`. */
export interface DeployRequest {
  name: string;
  entityRef: string;
  owner: string;
  repository: string;
  /** Branch, tag or SHA. Default: the repository's default branch. */
  ref?: string;
  /** Name of the critical path (`metadata.name`) for the telemetry attribute. */
  criticalPath?: string;
}

/** Answer of `GET /names/:name`: may a new service take this name? */
export interface NameAvailability {
  name: string;
  available: boolean;
  /** Why not, naming what has it. */
  reason?: string;
}

/** Answer of `GET /services/:name/log`. */
export interface ServiceLog {
  lines: {
    time: string;
    stream: 'stdout' | 'stderr' | 'rocket';
    text: string;
  }[];
  /** Pass as `after` to read on. */
  cursor: number;
}
