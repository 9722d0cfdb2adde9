import type {
  ChangeKind,
  IncidentSummary,
} from '@rocket/plugin-critical-paths-common';

/** A deployment, chaos run or incident as it was read from its source. */
export interface StoredChange {
  /** Unique for its kind. */
  id: string;
  kind: Exclude<ChangeKind, 'maintenance' | 'budget-reset'>;
  /** Ref of the application, or of the path for what concerns all of it. */
  entityRef: string;
  title: string;
  /** Start, seconds since the epoch. */
  at: number;
  /** End, seconds since the epoch; left out while it goes on and for what has no length. */
  until?: number;
  /** Version, verdict or priority. */
  detail?: string;
  url?: string;
  source: string;
}

/** What the API reads about changes. All methods throw `ServiceUnavailableError` while the database is away. */
export interface ChangeReader {
  /** Changes of the given entities that overlap `[from, to)` (seconds since the epoch), the oldest first. */
  listChanges(
    entityRefs: string[],
    from: number,
    to: number,
  ): Promise<StoredChange[]>;
  /**
   * Incidents of the given applications in `[from, to)`, by application. An
   * application that no source of incidents answers for is left out; one
   * without incidents has a summary of zeros.
   */
  summarizeIncidents(
    entityRefs: string[],
    from: number,
    to: number,
  ): Promise<Map<string, IncidentSummary>>;
}

/** For installations and tests without a source of changes. */
export const NO_CHANGES: ChangeReader = {
  listChanges: async () => [],
  summarizeIncidents: async () => new Map(),
};
