/**
 * `fresh`: pushed, or confirmed at its source, within the allowed age. `stale`: longer ago. `gone`: its source no longer has it;
 * removed after the grace time. `running-unregistered`: it runs (telemetry or runtime) but nobody pushed it.
 * `registered-not-running`: pushed and deployed somewhere, but nothing runs. `unmanaged`: it comes from elsewhere than pipelines.
 */
export type FreshnessState =
  | 'fresh'
  | 'stale'
  | 'gone'
  | 'running-unregistered'
  | 'registered-not-running'
  | 'unmanaged';

/** How far one entity, or one thing that runs, is known to be true. */
export interface Freshness {
  /** Entity ref; for `running-unregistered` the name under which it runs, as a component of the default namespace. */
  entityRef: string;
  state: FreshnessState;
  /** Why, for people; names the way out. */
  reason: string;
  owner?: string;
  repository?: string;
  /** Last push that held it, and the one that changed it. ISO 8601. */
  lastPushedAt?: string;
  lastChangedAt?: string;
  lastChangedCommit?: string;
  lastChangedPipeline?: string;
  /** Last sign of life of the running thing, ISO 8601, and where it was seen. */
  lastSeenRunningAt?: string;
  runningSource?: string;
  /** For `gone`: when it leaves the catalog, ISO 8601. */
  removedAt?: string;
}

/** Answer of `GET /freshness`, ordered by severity and ref. */
export interface FreshnessPage {
  items: Freshness[];
  counts: Record<FreshnessState, number>;
  nextCursor?: string;
}
