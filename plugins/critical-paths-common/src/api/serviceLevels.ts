/** What one side counted of a service level. */
export interface ServiceLevelCounts {
  valid: number;
  good: number;
  /** 100 x good / valid; null when valid is 0. */
  percent: number | null;
}

/** A service level that somebody keeps at a telemetry source, held against our own figures. */
export interface ServiceLevelComparison {
  /** Unique at the source. */
  id: string;
  /** Entity ref of the application. */
  entityRef: string;
  /** Id of the telemetry source, for example `newrelic`. */
  source: string;
  name: string;
  /** What it is about, as far as its definition can be read. */
  sli: 'availability' | 'latency' | 'other';
  thresholdMs?: number;
  /** Set when it is limited to one path, by the value of `criticalPath`. */
  criticalPath?: string;
  /** Percent. */
  target: number;
  windowDays: number;
  /** Both sides are of `[from, to)`, on whole hours; ISO 8601 UTC. */
  from: string;
  to: string;
  /** As the source measured it; null without data. */
  theirs: ServiceLevelCounts | null;
  /** As we measured it; null where it cannot be compared, for the reason in `comparison`. */
  ours: ServiceLevelCounts | null;
  /** Ours less theirs in percentage points; null when one of them is missing. */
  deltaPoints: number | null;
  /** True when both differ by at most 0.1 points and their valid events by at most 5 %. */
  agrees: boolean | null;
  /** What the two figures are of, or why there is nothing to compare; for people. */
  comparison: string;
  /** The query behind the source's figure. */
  query: string;
  url?: string;
  /** When it was read, ISO 8601 UTC. */
  readAt: string;
}

/** Answer of `GET /components/:kind/:namespace/:name/service-levels` and of `GET /paths/:namespace/:name/service-levels`. */
export interface ServiceLevelsResponse {
  generatedAt: string;
  rows: ServiceLevelComparison[];
}
