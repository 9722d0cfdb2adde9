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
  /** Requests at most this long, by threshold in milliseconds, for each wanted threshold. */
  withinThreshold: Record<number, number>;
}

/** Keys that are in no failure were answered in full, even when they have no bucket. */
export interface TelemetryResponse {
  results: { key: string; buckets: TelemetryBucket[] }[];
  failures: { keys: string[]; message: string }[];
  /** HTTP requests that were made, retries included. */
  requests: number;
  /** The queries that were sent, for display beside the figures. */
  queries: { keys: string[]; account?: string; query: string }[];
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
