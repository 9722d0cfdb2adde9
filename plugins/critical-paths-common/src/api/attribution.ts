/** One application's part of the budget that a path burned. */
export interface AttributionRow {
  /** Entity ref of the application. */
  entityRef: string;
  title: string;
  steps: string[];
  /** Bad events of the path that are charged to this application's own fault. */
  ownEvents: number;
  /** `ownEvents` in percent of all bad events of the path in the window. */
  sharePercent: number;
  /** The same as a share of the path's whole error budget, in percent; null without an objective. */
  budgetPercent: number | null;
  /** Bad events at the application itself. */
  badEvents: number;
  /** Those of `badEvents` that coincide with errors of applications that it depends on. */
  upstreamEvents: number;
}

/**
 * Who burned the budget. `sharePercent` of all rows and `unknownPercent` add up
 * to 100 (to within 0.1) when there was any bad event, and to 0 otherwise.
 */
export interface Attribution {
  /** Start of the counted stretch, ISO 8601 UTC. Windows of more than 6 hours start at a full hour. */
  from: string;
  to: string;
  /** Bad events of the path, as its aggregation counts them. */
  badEvents: number;
  /** Largest share first. */
  rows: AttributionRow[];
  /** Bad events of minutes in which an application that could explain them was not observed. */
  unknownEvents: number;
  unknownPercent: number;
  /** Longest interval that coincidence was judged over in this window, in minutes: 1, or 60 for back-filled hours. */
  resolutionMinutes: number;
}

/** The part of an {@link Attribution} that the board shows. */
export interface AttributionSummary {
  /** Start of the counted stretch: a full hour, or a full UTC day for windows of more than a day. */
  from?: string;
  badEvents: number;
  /** At most three, the largest share first; applications without a share are left out. */
  top: {
    entityRef: string;
    title: string;
    ownEvents: number;
    sharePercent: number;
  }[];
  unknownPercent: number;
}
