import { createExtensionPoint } from '@backstage/backend-plugin-api';

/** What the collector wants to know about: one application's part of one path. */
export interface TelemetryTarget {
  /** Opaque to the source; results are matched by it. */
  key: string;
  /** Alias of the account; the source's default when left out. */
  account?: string;
  /** The application's name at the source. */
  appName: string;
  /** Value of the custom attribute `criticalPath`. */
  criticalPath: string;
  /** Only transactions with this name, when given. */
  operation?: string;
  /** Latency thresholds in milliseconds for which exact counts are wanted. */
  thresholdsMs: number[];
}

/** A question about `[from, to)`, cut in intervals of `stepSeconds`. */
export interface TelemetryRequest {
  targets: TelemetryTarget[];
  /** Inclusive; aligned to `stepSeconds` since the epoch. */
  from: Date;
  /** Exclusive; aligned to `stepSeconds` since the epoch. */
  to: Date;
  stepSeconds: 60 | 3600;
  signal?: AbortSignal;
}

/** Events of one target in one interval. Intervals without events may be left out. */
export interface TelemetryBucket {
  /** Epoch seconds, aligned. */
  start: number;
  valid: number;
  good: number;
  /** Counts by bucket index of `LATENCY_SCALE` of critical-paths-common; absent = 0. */
  histogram: Record<number, number>;
  /**
   * Requests at most this long, by threshold in milliseconds. A wanted threshold
   * that the source cannot count exactly is left out: it is then estimated from
   * the histogram, and the figure says so.
   */
  withinThreshold: Record<number, number>;
}

/** Keys that are in no failure were answered in full, even when they have no bucket. */
export interface TelemetryResponse {
  results: {
    key: string;
    buckets: TelemetryBucket[];
    /**
     * Bound of the relative error of percentiles, as a ratio, where the source's
     * own latency buckets are wider than those of `LATENCY_SCALE`; left out
     * otherwise. 1 = up to twice or half as long.
     */
    latencyError?: number;
  }[];
  failures: { keys: string[]; message: string }[];
  /** HTTP requests that were made, retries included. */
  requests: number;
  /** The queries that were sent, for display beside the figures. */
  queries: { keys: string[]; account?: string; query: string }[];
}

/** An application as a source tells it apart. */
export interface TelemetryApplication {
  /** Opaque to the source; answers are matched by it. */
  key: string;
  /** Alias of the account; the source's default when left out. */
  account?: string;
  /** The application's name at the source. */
  appName: string;
}

/** A question about what happened in `[from, to)`. */
export interface ChangeFeedRequest {
  applications: TelemetryApplication[];
  from: Date;
  to: Date;
  signal?: AbortSignal;
}

/** A version that was put in place. */
export interface SourceDeployment {
  key: string;
  /** Unique at the source and the same in every answer. */
  id: string;
  at: Date;
  version?: string;
  commit?: string;
  user?: string;
  description?: string;
  url?: string;
}

/** An alert that was raised for an application. */
export interface SourceIncident {
  key: string;
  /** Unique at the source and the same in every answer. */
  id: string;
  title: string;
  priority: 'critical' | 'warning';
  condition?: string;
  policy?: string;
  /** Notifications were switched off. */
  muted: boolean;
  openedAt: Date;
  /** Undefined while it is open. */
  closedAt?: Date;
  /** When the signal got bad, for sources that tell; before `openedAt`. */
  degradedAt?: Date;
  /** When the signal was well again, for sources that tell; before `closedAt`. */
  recoveredAt?: Date;
  /** Why it was closed, in the source's words. */
  closeCause?: string;
  /**
   * Why its end says nothing about recovery (somebody deleted the condition, it
   * expired, ...), for people. Such an incident is in no time to recover.
   */
  notCounted?: string;
  url?: string;
}

/** Applications that are in no failure were answered in full. */
export interface ChangeFeedResponse {
  deployments: SourceDeployment[];
  /** Those that were opened or closed in the window. */
  incidents: SourceIncident[];
  failures: { keys: string[]; message: string }[];
  /** HTTP requests that were made, retries included. */
  requests: number;
}

/** A question about the service levels of applications. */
export interface ServiceLevelRequest {
  applications: TelemetryApplication[];
  /** End of the windows that are measured; on a whole hour. */
  at: Date;
  signal?: AbortSignal;
}

/** A service level as the source keeps and measures it. */
export interface SourceServiceLevel {
  key: string;
  /** Unique at the source. */
  id: string;
  name: string;
  /** What it is about, as far as its definition can be read. */
  sli: 'availability' | 'latency' | 'other';
  /** latency only, when its definition names one. Milliseconds. */
  thresholdMs?: number;
  /** The critical path that it is limited to, by its `criticalPath` attribute. */
  criticalPath?: string;
  /** Percent. */
  target: number;
  /** Length of the rolling window. */
  windowDays: number;
  /** What was measured is `[from, to)`, on whole hours; shorter than the window for a young service level. */
  from: Date;
  to: Date;
  /** Null when nothing was measured. */
  valid: number | null;
  good: number | null;
  /** The query behind the counts. */
  query: string;
  url?: string;
}

export interface ServiceLevelResponse {
  levels: SourceServiceLevel[];
  failures: { keys: string[]; message: string }[];
  /** HTTP requests that were made, retries included. */
  requests: number;
}

/** A system that can count requests, such as New Relic or Prometheus. */
export interface TelemetrySource {
  /** Stable id, used in `spec.steps[].telemetry.source`. */
  readonly id: string;
  /** Name for people. */
  readonly title: string;
  fetch(request: TelemetryRequest): Promise<TelemetryResponse>;
  /** Page of the application for people, when there is one. */
  applicationUrl?(
    target: Pick<TelemetryTarget, 'account' | 'appName'>,
  ): Promise<string | undefined>;
  /** Deployments and incidents of applications, for a source that knows them. */
  fetchChanges?(request: ChangeFeedRequest): Promise<ChangeFeedResponse>;
  /** Service levels that somebody keeps at the source, for a source that has them. */
  fetchServiceLevels?(
    request: ServiceLevelRequest,
  ): Promise<ServiceLevelResponse>;
}

export interface TelemetrySourcesExtensionPoint {
  /** Throws when a source with the same id is there already. */
  addSource(source: TelemetrySource): void;
}

/** Modules of the critical-paths plugin add their telemetry source here. */
export const telemetrySourcesExtensionPoint =
  createExtensionPoint<TelemetrySourcesExtensionPoint>({
    id: 'critical-paths.telemetry-sources',
  });
