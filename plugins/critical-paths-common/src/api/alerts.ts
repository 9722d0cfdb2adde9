import type { BurnSeverity } from './budget';

/** A burn of error budget that people were told about: one per path at a time. */
export interface Alert {
  id: string;
  /** Entity ref of the path. */
  pathRef: string;
  /** Title of the path for people. */
  pathTitle: string;
  /** Entity ref of the path's owner. */
  owner: string;
  /** The most urgent rule that fired since it opened. */
  severity: BurnSeverity;
  /** The rules that fired, in sentences for people. */
  messages: string[];
  /** ISO 8601 UTC. */
  openedAt: string;
  /** When a rule fired last. */
  lastFiringAt: string;
  /** When the owner was told last; null while the notification could not be sent. */
  notifiedAt: string | null;
  /** Null while it is open. */
  closedAt: string | null;
  /** `recovered`: the rules were quiet for long enough. `withdrawn`: the path or its objectives are gone. */
  closeReason: 'recovered' | 'withdrawn' | null;
}

/** Answer of `GET /alerts`. */
export interface AlertsResponse {
  /** Open ones first, then the newest. */
  alerts: Alert[];
}
