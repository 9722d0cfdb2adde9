import type {
  Freshness,
  FreshnessState,
} from '@rocket/plugin-ci-registry-common';

/** What a provider said of one thing that runs. Times in ms since 1970. */
export interface Observation {
  provider: string;
  name: string;
  entityRef?: string;
  /** The provider knows that it does not run. */
  stopped: boolean;
  lastSeenAt?: number;
  detail?: string;
  /** Since when the catalog has no component of this name; kept by `noteUnmatched`. */
  unmatchedSince?: number;
}

/** What owners are told of. */
export type Notice = FreshnessState | 'recovered';

export interface StoredFreshness {
  freshness: Freshness;
  /** When it came into this state, ms since 1970. */
  since: number;
  /** The state that the owner was told of last, unless it is over. */
  toldState?: FreshnessState;
  /** What the owner has yet to be told. */
  pending?: Notice;
}

/** The most pressing one first; the order of `GET /freshness`. */
export const STATES_BY_SEVERITY: FreshnessState[] = [
  'gone',
  'registered-not-running',
  'running-unregistered',
  'stale',
  'unmanaged',
  'fresh',
];

export interface FreshnessStore {
  /** Takes over all that a provider answered; what it does not name any more is kept with what was last known. */
  saveObservations(
    provider: string,
    observations: Observation[],
    now: number,
  ): Promise<void>;
  listObservations(): Promise<Observation[]>;
  /** Notes of every observation whether a component has its name. */
  noteUnmatched(unmatched: Observation[], now: number): Promise<void>;
  /** When each provider answered last, ms since 1970. */
  answers(): Promise<Map<string, number>>;
  /** Every row, by entity ref. */
  all(): Promise<Map<string, StoredFreshness>>;
  get(entityRef: string): Promise<StoredFreshness | undefined>;
  /** Writes these rows and deletes those. */
  save(rows: StoredFreshness[], deleted: string[]): Promise<void>;
  list(options: {
    owners?: string[];
    states?: FreshnessState[];
    after?: { severity: number; entityRef: string };
    limit: number;
  }): Promise<StoredFreshness[]>;
  counts(options: {
    owners?: string[];
  }): Promise<Record<FreshnessState, number>>;
  /** Rows whose owner has yet to be told. */
  pending(limit: number): Promise<StoredFreshness[]>;
  told(entityRef: string, notice: Notice): Promise<void>;
  /** Forgets what no provider named since `before`, ms since 1970. */
  prune(before: number): Promise<number>;
}
