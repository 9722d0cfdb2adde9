/** What is known of an incident beyond its times. */
export interface IncidentDetails {
  priority: 'critical' | 'warning';
  condition?: string;
  policy?: string;
  muted: boolean;
  /** When the signal got bad, seconds since the epoch. */
  degradedTime?: number;
  /** When the signal was well again, seconds since the epoch. */
  recoveredTime?: number;
  closeCause?: string;
  /** Why its end says nothing about recovery, for people; then it is in no time to recover. */
  notCounted?: string;
}

/** Something that happened. Times are seconds since the epoch. */
export interface StoredChange {
  kind: 'deployment' | 'chaos' | 'incident';
  /** Who told: `newrelic`, `ci-registry`, `chaos`, … */
  source: string;
  /** Unique for kind and source. */
  externalId: string;
  /** The Component, or the CriticalPath when all of it is concerned. */
  entityRef: string;
  startTime: number;
  /** Undefined while it goes on, and for what has no length. */
  endTime?: number;
  title: string;
  version?: string;
  detail?: string;
  url?: string;
  /** Of incidents only. */
  incident?: IncidentDetails;
}

/** One application whose changes are read from one source. */
export interface ChangeFeedKey {
  source: string;
  account?: string;
  appName: string;
}

export interface ChangeFeed extends ChangeFeedKey {
  /** Everything before it was read, seconds since the epoch; undefined before the first answer. */
  readUntilTime?: number;
  lastSuccessTime?: number;
  lastErrorTime?: number;
  lastError?: string;
}

/** A service level of a source, held against our own figures of the same time. */
export interface StoredServiceLevel {
  source: string;
  externalId: string;
  entityRef: string;
  name: string;
  sli: 'availability' | 'latency' | 'other';
  thresholdMs?: number;
  /** Set when it is limited to one path. */
  criticalPath?: string;
  /** Percent. */
  target: number;
  windowDays: number;
  /** Seconds since the epoch, on whole hours; both sides were measured over `[from, to)`. */
  fromTime: number;
  toTime: number;
  /** As the source measured it; null without data. */
  valid: number | null;
  good: number | null;
  /** What we counted ourselves; null where it cannot be compared, for the reason in `comparison`. */
  ourValid: number | null;
  ourGood: number | null;
  /** What the two figures are of, or why there is nothing to compare; for people. */
  comparison: string;
  query: string;
  url?: string;
  /** Seconds since the epoch. */
  readTime: number;
}

/**
 * Keeps what happened to applications and paths. All methods throw
 * `ServiceUnavailableError` while the database cannot be reached.
 */
export interface ChangeStore {
  /**
   * Adds changes and replaces those that are there already. A deployment of a
   * version that another source has told within a quarter of an hour is the same
   * one and is left out.
   *
   * @returns how many were added or became different
   */
  saveChanges(changes: StoredChange[], time: number): Promise<number>;
  /**
   * What happened to the entities in `[from, to)` (seconds), the oldest first:
   * what began before it and was not over is in it too.
   */
  listChanges(query: {
    entityRefs: string[];
    from: number;
    to: number;
    kinds?: StoredChange['kind'][];
    /** The newest so many. */
    limit?: number;
  }): Promise<StoredChange[]>;
  /** Incidents of a source that are open, whenever they began. */
  listOpenIncidents(source: string): Promise<StoredChange[]>;
  /** The feeds that are there of those asked for. */
  listFeeds(keys: ChangeFeedKey[]): Promise<ChangeFeed[]>;
  /** Notes how far these feeds were read. */
  saveFeedSuccess(
    keys: ChangeFeedKey[],
    readUntilTime: number,
    time: number,
  ): Promise<void>;
  saveFeedFailure(
    keys: ChangeFeedKey[],
    message: string,
    time: number,
  ): Promise<void>;
  /** Replaces all service levels of these entities at a source. */
  replaceServiceLevels(
    source: string,
    entityRefs: string[],
    levels: StoredServiceLevel[],
  ): Promise<void>;
  listServiceLevels(entityRefs: string[]): Promise<StoredServiceLevel[]>;
  /** Deletes what was over before `before`, and feeds that nobody read since (seconds); answers how many. */
  prune(before: number): Promise<number>;
}
