// What the CI registry takes and answers, as far as this command uses it. Own types, so that the published package needs no code of the
// portal; contract.test.ts holds them to the real one.

/** A catalog entity, as read from a file. */
export interface Entity {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    annotations?: Record<string, string>;
    [key: string]: unknown;
  };
  spec?: Record<string, unknown>;
}

/** Where a push comes from. */
export interface PushSource {
  repository: string;
  /** Full SHA. */
  commit: string;
  branch?: string;
  /** Ancestors of the commit, the newest first; at most 500. */
  ancestors?: string[];
  /** URL or id of the pipeline. */
  pipeline?: string;
  /** ISO 8601. */
  time: string;
}

export interface CoverageCounts {
  covered: number;
  total: number;
}

export interface CoverageReport {
  lines?: CoverageCounts;
  branches?: CoverageCounts;
  functions?: CoverageCounts;
}

export interface TestSuiteReport {
  name: string;
  passed: number;
  failed: number;
  skipped: number;
  /** Seconds. */
  duration?: number;
}

export interface ScanReport {
  tool: string;
  critical: number;
  high: number;
  medium: number;
  low: number;
  unknown: number;
  fixable?: number;
}

export interface SbomReference {
  format: 'cyclonedx' | 'spdx';
  /** `sha256:` and 64 hexadecimal digits, of the document. */
  digest: string;
  url?: string;
  components?: number;
}

export const ARTIFACT_TYPES = [
  'container-image',
  'package',
  'archive',
  'file',
] as const;

export interface ArtifactReport {
  type: (typeof ARTIFACT_TYPES)[number];
  name: string;
  digest: string;
  tag?: string;
  sbom?: SbomReference;
}

export interface CommitReport {
  sha: string;
  /** ISO 8601. */
  time: string;
  subject?: string;
  author?: string;
}

export const BUILD_OUTCOMES = [
  'running',
  'succeeded',
  'failed',
  'cancelled',
] as const;

export interface BuildReport {
  component: string;
  version?: string;
  startedAt?: string;
  finishedAt?: string;
  outcome?: (typeof BUILD_OUTCOMES)[number];
  commits?: CommitReport[];
  artifacts?: ArtifactReport[];
  coverage?: CoverageReport;
  tests?: TestSuiteReport[];
  scans?: ScanReport[];
  url?: string;
}

export const DEPLOYMENT_OUTCOMES = [
  'succeeded',
  'failed',
  'rolled-back',
  'cancelled',
] as const;

export interface DeploymentReport {
  id: string;
  component: string;
  environment: string;
  version?: string;
  commit?: string;
  digest?: string;
  startedAt: string;
  finishedAt?: string;
  outcome: 'in-progress' | (typeof DEPLOYMENT_OUTCOMES)[number];
  reason?: string;
  commits?: CommitReport[];
  remediates?: string[];
  url?: string;
}

export const API_FORMATS = ['openapi', 'asyncapi', 'graphql', 'grpc'] as const;

export interface ApiDocumentReport {
  api: string;
  component: string;
  format: (typeof API_FORMATS)[number];
  definition: string;
}

/** Body of `POST /pushes` and `POST /validate`. */
export interface PushRequest {
  source: PushSource;
  entities?: Entity[];
  complete?: boolean;
  removed?: string[];
  builds?: BuildReport[];
  deployments?: DeploymentReport[];
  documents?: ApiDocumentReport[];
  /** The job, or the whole run, has nothing more to say. */
  final?: 'job' | 'run';
}

/** Answer of `POST /pushes`. */
export interface PushResponse {
  entities: { entityRef: string; outcome: string }[];
  gone: string[];
  builds: { id: string; component: string; outcome: string }[];
  deployments: { id: string; component: string; outcome: string }[];
  documents: {
    api: string;
    outcome: string;
    version: { version: number; changes: { severity: string }[] | null };
  }[];
  warnings: string[];
}

/** Answer of `POST /validate`. */
export interface ValidateResponse {
  valid: boolean;
  problems: {
    field: string;
    message: string;
    severity: 'error' | 'warning';
  }[];
}

/** Answer of `GET /gate/{kind}/{namespace}/{name}`. */
export interface GateResponse {
  entityRef: string;
  decision: 'allow' | 'warn' | 'block';
  reasons: { effect: string; message: string; rule: string }[];
}
