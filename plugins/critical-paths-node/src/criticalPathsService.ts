import type { BackstageCredentials } from '@backstage/backend-plugin-api';

/** A deployment or a chaos run that another plugin reports. */
export interface ChangeReport {
  /** Who reports it, for example `ci-registry` or `chaos`: `[a-z0-9-]`, at most 63 characters. */
  source: string;
  /** Unique for source and kind, at most 255 characters; a repeated report replaces the first one. */
  id: string;
  kind: 'deployment' | 'chaos';
  /** The Component, or the CriticalPath when all of it is concerned. */
  entityRef: string;
  /** Start, ISO 8601. */
  at: string;
  /** End, ISO 8601; left out while it goes on, and for what has no length. */
  until?: string;
  /** Name for people, at most 255 characters. */
  title: string;
  /** Deployments: told apart from the same deployment reported by another source by it. */
  version?: string;
  /** Version, verdict or the like, for people; at most 1,000 characters. */
  detail?: string;
  /** Page of the change, http or https. */
  url?: string;
}

/** A question about one path, or one application of it. */
export interface SignalsRequest {
  /** For example `criticalpath:default/transaction-posting`. */
  pathRef: string;
  /** One application of the path; the path's own figures, measured at its entry step, when left out. */
  componentRef?: string;
  /** ISO 8601, inclusive; rounded down to the minute. */
  from: string;
  /** ISO 8601, exclusive; rounded up to the minute. At most 24 hours after `from`. */
  to: string;
}

/** One minute as it was collected. */
export interface MinuteSignals {
  /** Start, ISO 8601 UTC. */
  start: string;
  /** False when the source has not answered for the minute (yet): then the counts say nothing. */
  observed: boolean;
  valid: number;
  good: number;
  /** Counts by bucket index of `LATENCY_SCALE` of critical-paths-common. */
  histogram: Record<number, number>;
  /** Exact counts of requests at most this long, by the path's latency thresholds in milliseconds. */
  withinThreshold: Record<number, number>;
}

export interface SignalsResponse {
  /** Every minute asked for, the oldest first. */
  minutes: MinuteSignals[];
  /** End of the newest minute that every source answered for; null before the first answer. */
  watermark: string | null;
}

/** A question about the incidents of applications. */
export interface IncidentsRequest {
  /** Components, at most 2,000. */
  entityRefs: string[];
  /** ISO 8601, inclusive. */
  from: string;
  /** ISO 8601, exclusive; at most 400 days after `from`. */
  to: string;
}

/** An incident as monitoring told it. */
export interface ApplicationIncident {
  entityRef: string;
  title: string;
  /** ISO 8601. */
  openedAt: string;
  /** When it was closed, ISO 8601; null while it is open. */
  closedAt: string | null;
  /**
   * From the signal getting bad to its being well again, or from opening to
   * closing where monitoring does not tell; null while it is open, and when its
   * end says nothing about recovery.
   */
  secondsToRecover: number | null;
}

export interface IncidentsResponse {
  /** Those that were open at some time of the window, the oldest first. */
  incidents: ApplicationIncident[];
}

/** What other backend plugins may ask of critical paths. */
export interface CriticalPathsService {
  /**
   * Marks a change on the charts that it concerns.
   *
   * @throws InputError naming the field, NotAllowedError for callers that are not plugins
   */
  recordChange(
    change: ChangeReport,
    options: { credentials: BackstageCredentials },
  ): Promise<void>;
  /**
   * Reads collected minutes; never asks a telemetry source. Minutes older than
   * `criticalPaths.retention.minutes` are not observed.
   *
   * @throws InputError naming the field, NotFoundError for a path or application that is not there
   */
  readSignals(
    request: SignalsRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<SignalsResponse>;
  /**
   * Reads incidents that were collected; never asks a telemetry source.
   *
   * @throws InputError naming the field, NotAllowedError for callers that are not plugins
   */
  readIncidents(
    request: IncidentsRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<IncidentsResponse>;
}
