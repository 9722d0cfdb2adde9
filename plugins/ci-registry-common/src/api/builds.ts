/** Covered and total of something that can be counted; a share is `covered / total`. */
export interface CoverageCounts {
  covered: number;
  total: number;
}

/** Coverage of a build, as counted by the tool; what the tool does not count is left out. */
export interface CoverageReport {
  lines?: CoverageCounts;
  branches?: CoverageCounts;
  functions?: CoverageCounts;
}

/** Result of one test suite. */
export interface TestSuiteReport {
  /** Unique within the build, for example `unit`. */
  name: string;
  passed: number;
  failed: number;
  skipped: number;
  /** Seconds. */
  duration?: number;
}

/** Findings of one scan by severity. */
export interface ScanReport {
  /** Unique within the build, for example `grype`. */
  tool: string;
  critical: number;
  high: number;
  medium: number;
  low: number;
  /** Findings without a severity. */
  unknown: number;
  /** How many of them have a fix; left out when the tool does not say. */
  fixable?: number;
}

/** Something that a build made and that can be deployed. */
export interface ArtifactReport {
  type: 'container-image' | 'package' | 'archive' | 'file';
  /** Without tag or digest, for example `ghcr.io/acme/ledger`. */
  name: string;
  /** `sha256:` and 64 hexadecimal digits. */
  digest: string;
  tag?: string;
  sbom?: SbomReference;
}

/** Where the bill of materials of an artefact lies, and what was counted in it. */
export interface SbomReference {
  format: 'cyclonedx' | 'spdx';
  /** `sha256:` and 64 hexadecimal digits, of the document. */
  digest: string;
  /** A link for people; the registry never reads it. */
  url?: string;
  components?: number;
}

/** A commit that a build or deployment brought. */
export interface CommitReport {
  sha: string;
  /** When it was committed, ISO 8601. */
  time: string;
  /** First line of its message. */
  subject?: string;
  author?: string;
}

/** How a build went, as its pipeline reports it. */
export type BuildOutcome = 'running' | 'succeeded' | 'failed' | 'cancelled';

/**
 * How a build went. `unfinished`: its pipeline never said how it ended, and a job does not run for so long; it failed after its last
 * report, or was stopped.
 */
export type KnownBuildOutcome = BuildOutcome | 'unfinished';

/**
 * What a pipeline says of one build; identified by component, commit and pipeline. Several reports of one build are merged: a
 * field that is given replaces the earlier one; artefacts (by name and digest), suites (by name) and scans (by tool) are united.
 */
export interface BuildReport {
  /** Entity ref of the component. */
  component: string;
  version?: string;
  /** ISO 8601. */
  startedAt?: string;
  finishedAt?: string;
  outcome?: BuildOutcome;
  /** Commits since the build before, the newest first; at most 500. */
  commits?: CommitReport[];
  artifacts?: ArtifactReport[];
  coverage?: CoverageReport;
  tests?: TestSuiteReport[];
  scans?: ScanReport[];
  /** A link for people. */
  url?: string;
}

/** A build as the registry knows it. */
export interface Build extends Omit<BuildReport, 'outcome'> {
  id: string;
  repository: string;
  commit: string;
  branch?: string;
  pipeline?: string;
  outcome: KnownBuildOutcome;
  /** When the registry heard of it first and last, ISO 8601. */
  firstReportedAt: string;
  lastReportedAt: string;
}

/** Answer of `GET /builds`, the newest first. */
export interface BuildPage {
  items: Build[];
  nextCursor?: string;
}
