import type {
  PhaseStatus,
  ServiceState,
} from '@rocket/plugin-provisioning-common';

/** A service and what should run of it. */
export interface ServiceRecord {
  name: string;
  entityRef: string;
  owner: string;
  repository: string;
  criticalPath?: string;
  /** Id of the runtime. */
  runtime: string;
  /** Absent for services of the runtime itself. */
  environment?: string;
  /** Of the version of the last deployment, by digest. */
  image?: string;
  /** As last asked for; absent: the runtime's own number. */
  replicas?: number;
  desired: 'running' | 'stopped';
  /** The last version that became healthy. */
  runningCommit?: string;
  /** The version of the last deployment. */
  deployCommit?: string;
  /** `running` after a kill means: resume it. */
  deployStatus?: 'running' | 'done' | 'failed';
  deployMessage?: string;
  phases: PhaseStatus[];
  state: ServiceState;
  message?: string;
  url?: string;
  docsUrl?: string;
  database?: string;
  restarts: number;
  startedAt?: string;
  createdBy: string;
  updatedAt: string;
}

/** A version that became healthy once. */
export interface ServiceVersion {
  commit: string;
  image?: string;
  /** ISO 8601; when it last did. */
  healthyAt: string;
}

/** What changes in a record after it was made; `undefined` clears a field. */
export type ServicePatch = Partial<Omit<ServiceRecord, 'name' | 'createdBy'>>;

export interface ServiceStore {
  /** False when the name is taken; nothing is written then. */
  insert(record: ServiceRecord): Promise<boolean>;
  get(name: string): Promise<ServiceRecord | undefined>;
  /** By name. */
  list(): Promise<ServiceRecord[]>;
  /** Sets the given fields and the time of the update. */
  update(name: string, patch: ServicePatch): Promise<void>;
  /** With its port. */
  delete(name: string): Promise<void>;
  /** The last one first, at most 50. */
  listVersions(name: string): Promise<ServiceVersion[]>;
  addVersion(name: string, version: ServiceVersion): Promise<void>;
  getPort(name: string): Promise<number | undefined>;
  /** Takes the port for the service; false when another service has it. */
  takePort(name: string, port: number): Promise<boolean>;
  /** The service gives its port up; nothing to do when it has none. */
  releasePort(name: string): Promise<void>;
  /** Ports that services have. */
  listPorts(): Promise<number[]>;
}
