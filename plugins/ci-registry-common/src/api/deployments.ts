import type { Build, CommitReport } from './builds';

export type DeploymentOutcome =
  | 'in-progress'
  | 'succeeded'
  | 'failed'
  | 'rolled-back'
  | 'cancelled';

/** What a pipeline says of one deployment; a later report of the same `id` replaces the fields it gives. */
export interface DeploymentReport {
  /** Unique per component; the pipeline chooses it, so that a repeated call is known as such. At most 200 characters. */
  id: string;
  /** Entity ref of the component. */
  component: string;
  /** For example `production` or `staging`. */
  environment: string;
  /** What people call it; the commit when it is left out. */
  version?: string;
  /** The commit that runs; the source's when it is left out (a roll-back deploys an older one). */
  commit?: string;
  /** Digest of the artefact that runs. */
  digest?: string;
  /** ISO 8601. */
  startedAt: string;
  finishedAt?: string;
  outcome: DeploymentOutcome;
  /** Why it did not succeed. */
  reason?: string;
  /** What ran before, when the pipeline knows it; else the registry says what it last saw. */
  replaced?: { version?: string; commit: string };
  /** Commits that this deployment brought to the environment, the newest first; at most 500. */
  commits?: CommitReport[];
  /** Ids of deployments of this component and environment whose failure this one makes good. */
  remediates?: string[];
  url?: string;
}

/** A deployment as the registry knows it. */
export interface Deployment extends DeploymentReport {
  version: string;
  commit: string;
  repository: string;
  branch?: string;
  pipeline?: string;
  /** Who reported it: the pipeline's subject, a user or a service. */
  reportedBy: string;
  firstReportedAt: string;
  lastReportedAt: string;
}

/** Answer of `GET /deployments`, the newest first. */
export interface DeploymentPage {
  items: Deployment[];
  nextCursor?: string;
}

/** How what runs differs from what ran before it in the environment. */
export interface VersionDifference {
  /** Commits that it has and the one before had not, the newest first; null when not known. */
  added: CommitReport[] | null;
  /** Commits that the one before had and it has not (a roll-back), the newest first; null when not known. */
  removed: CommitReport[] | null;
  /** Artefacts whose digest is another one, by name; a side without the artefact is left out. */
  digests: { name: string; before?: string; after?: string }[];
  /** Covered lines as a share, 0 to 1; null on a side that reported none. */
  lineCoverage: { before: number | null; after: number | null };
}

/** What runs in one environment. */
export interface RunningVersion {
  component: string;
  environment: string;
  /** The deployment that brought it: the last one that succeeded, or that another one rolled back to. */
  deployment: Deployment;
  /** ISO 8601; since when it runs. */
  since: string;
  /** The build of that commit, when one was reported. */
  build?: Build;
  /** The version before it in this environment; without a deployment when only the pipeline told of it. */
  previous?: { version: string; commit: string; deploymentId?: string };
  /** Absent without a previous version. */
  difference?: VersionDifference;
  /** Commits that came with it, as far as they were reported. */
  commits: CommitReport[];
  /** A deployment that is under way now. */
  inProgress?: Deployment;
  /** Commits between this environment and the one it is compared with (the most advanced one); null when not known. */
  behind: number | null;
}

/** Answer of `GET /versions?component=` or `?system=`. */
export interface VersionsResponse {
  items: RunningVersion[];
  generatedAt: string;
}
