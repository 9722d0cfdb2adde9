/** One figure of a DORA metric; DORA is DevOps Research and Assessment. */
export interface DoraFigure {
  /** Null when there are fewer samples than `minimumSamples`. */
  value: number | null;
  /** How many deployments, commits or incidents it stands on. */
  samples: number;
  minimumSamples: number;
  /** Why there is no value, or what is doubtful; for people. */
  note?: string;
}

/** The four metrics of one application, team or critical path in one environment and window. */
export interface DoraMetrics {
  /** Deployments that ended well per day. */
  deploymentFrequency: DoraFigure;
  /** Seconds from a commit to its first successful deployment, median and 95th percentile over commits. */
  leadTime: DoraFigure & { p95: number | null };
  /** Share (0 to 1) of finished deployments that failed, were rolled back or had to be made good. */
  changeFailureRate: DoraFigure;
  /** Seconds from a failed deployment (or incident) to the one that made it good, median. */
  timeToRecover: DoraFigure;
}

/** One row of the DORA board. */
export interface DoraRow {
  /** Entity ref of the component, group or critical path. */
  entityRef: string;
  title: string;
  metrics: DoraMetrics;
  /** The same in the window before. */
  previous: DoraMetrics;
  /** Lead time in seconds per week, the oldest first; null for weeks without a deployment. */
  leadTimeByWeek: { week: string; median: number | null; samples: number }[];
  /**
   * Seconds that incidents of monitoring took from the signal getting bad to its being well again, median, now and in the window
   * before. Beside `timeToRecover`, which goes by deployments: the two may tell of the same failure. Absent when the critical
   * paths do not answer, and for environments that they are not about.
   */
  incidents?: { timeToRecover: DoraFigure; previous: DoraFigure };
}

/** Answer of `GET /dora?by=component|team|path&environment=&days=`. */
export interface DoraResponse {
  by: 'component' | 'team' | 'path';
  environment: string;
  from: string;
  to: string;
  /** The goal for the lead time, seconds; 2,700 unless configured. */
  leadTimeGoal: number;
  /** How each metric is counted, for people. */
  definitions: Record<keyof DoraMetrics, string>;
  /** How `incidents` is counted, or why it is absent; for people. */
  incidentNote?: string;
  /** Environments that something was deployed to, by name, for people to choose from. */
  environments: string[];
  rows: DoraRow[];
}
