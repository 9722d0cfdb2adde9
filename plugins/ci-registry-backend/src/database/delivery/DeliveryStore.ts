import type { Build, Deployment } from '@rocket/plugin-ci-registry-common';

/** Where a page begins: after the item with this time and these ids. */
export interface PagePosition {
  /** ms since 1970. */
  time: number;
  ids: string[];
}

export interface Page<T> {
  items: T[];
  /** Where the next page begins; undefined on the last one. */
  next?: PagePosition;
}

/** A finished deployment, as the arithmetic needs it. Times in ms since 1970. */
export interface FinishedDeployment {
  component: string;
  id: string;
  commit: string;
  outcome: 'succeeded' | 'failed' | 'rolled-back';
  startedAt: number;
  finishedAt: number;
  remediates: string[];
  /** Commits that the report says it brought. */
  brought: string[];
}

export interface DeploymentHistory {
  /** The oldest first. */
  deployments: FinishedDeployment[];
  /** By component, then by head: the commits that the head contains, as far as reported. */
  contents: Map<string, Map<string, string[]>>;
  /** By component, then by commit: when it was committed. */
  commitTimes: Map<string, Map<string, number>>;
}

/** A deployment that the critical paths have yet to hear of. */
export interface PendingDeployment {
  deployment: Deployment;
  revision: number;
  attempts: number;
}

/** What pipelines built and deployed. The writing is `DatabaseDeliveryWriter`'s. */
export interface DeliveryStore {
  getBuild(id: string): Promise<Build | undefined>;
  /** The newest first. */
  listBuilds(options: {
    component?: string;
    commit?: string;
    after?: PagePosition;
    limit: number;
  }): Promise<Page<Build>>;
  /** The newest first. */
  listDeployments(options: {
    component?: string;
    environment?: string;
    after?: PagePosition;
    limit: number;
  }): Promise<Page<Deployment>>;
  /** For each component and environment the newest deployments that were live, and the one that is under way. */
  recentDeployments(components: string[]): Promise<Deployment[]>;
  /** The newest build of each of these commits. */
  buildsOf(
    commits: { component: string; commit: string }[],
  ): Promise<Map<string, Build>>;
  /** Everything known of one component's commits. */
  commitsOf(component: string): Promise<{
    contents: Map<string, string[]>;
    commits: Map<
      string,
      { sha: string; time: string; subject?: string; author?: string }
    >;
  }>;
  /** Components that finished a deployment in the environment since `since`, ms since 1970. */
  deployedComponents(environment: string, since: number): Promise<string[]>;
  /** Environments to which a deployment was finished since `since`, ms since 1970. */
  environments(since: number): Promise<string[]>;
  /** For each of these components a text that changes whenever its `history` may. */
  historyStamps(
    components: string[],
    environment: string,
    since: number,
  ): Promise<Map<string, string>>;
  /** Finished deployments of these components since `since`, ms since 1970; what was called off is left out. */
  history(
    components: string[],
    environment: string,
    since: number,
  ): Promise<DeploymentHistory>;
  /** Components with a deployment that succeeded, and when the last of them ended; by environment among `environments`. */
  lastDeployed(environments: string[]): Promise<Map<string, number>>;
  /** Takes deployments that are due; nobody else gets them before `now + leaseMs`. */
  claimPending(options: {
    limit: number;
    now: number;
    leaseMs: number;
  }): Promise<PendingDeployment[]>;
  /** The critical paths know it; what was reported meanwhile stays pending. */
  settlePending(pending: PendingDeployment): Promise<void>;
  postponePending(
    pending: PendingDeployment,
    failure: { nextAttemptAt: number; error: string },
  ): Promise<void>;
  /** Forgets what ended before `before`, ms since 1970, except what runs; answers how many rows went. */
  prune(before: number): Promise<number>;
}

/** Key of a commit of a component. */
export function commitKey(component: string, commit: string): string {
  return `${component} ${commit}`;
}
