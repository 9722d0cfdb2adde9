/** What can be marked on a chart. */
export const CHANGE_KINDS = [
  'deployment',
  'chaos',
  'incident',
  'maintenance',
  'budget-reset',
] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** Something that happened to an application or to a path, for marking on charts. */
export interface ChangeMarker {
  /** Unique for its kind. */
  id: string;
  kind: ChangeKind;
  /** Entity ref of the application, or of the path for what concerns all of it. */
  entityRef: string;
  /** Name for people, for example `ledger 1.4.2`. */
  title: string;
  /** Start, ISO 8601 UTC. */
  at: string;
  /** End, when it has one and is over. */
  until?: string;
  /** Version, verdict or priority, as the source calls it. */
  detail?: string;
  /** Page of the change for people. */
  url?: string;
  /** Where it was read: `ci-registry`, `newrelic`, `rocket`, … */
  source: string;
  /** Deployments: what the path's budget lost in the minutes after it. */
  burn?: ChangeBurn;
}

/** What a path lost in the minutes after a deployment, above what it lost before. */
export interface ChangeBurn {
  /** Minutes after the change that were looked at. */
  minutes: number;
  /** False while those minutes are not over or not yet observed in full. */
  complete: boolean;
  valid: number;
  /** Bad events of the path that are charged to the deployed application. */
  badEvents: number;
  /** `badEvents` less what the same stretch before the change would have brought; never negative. */
  excessEvents: number;
  /** `excessEvents` in percent of the path's error budget; null without an objective. */
  budgetPercent: number | null;
}

/** Alerts of an application over the window, from incidents of its monitoring. */
export interface IncidentSummary {
  /** Incidents that are open now. */
  open: number;
  /** Incidents of the window that were closed by recovery. */
  closed: number;
  /** Mean of close - open over `closed`, in minutes; null without one. */
  timeToRecoverMinutes: number | null;
}
