import type { CriticalPathsSettings } from '../settings';
import type {
  PolicyStore,
  StoredMaintenance,
  StoredReset,
} from '../store/PolicyStore';
import { mergeRanges, subtractRanges, type MinuteRange } from '../store/ranges';
import { seriesKey } from '../store/seriesKey';
import type { Series, SignalStore } from '../store/SignalStore';
import { CellReader } from './CellReader';
import type { StepFeed } from './feeds';
import type { FeedCells } from './figures';
import type { Grid } from './windows';

/** How often, at most, the database is asked whether anything changed. */
const SYNC_EVERY_MS = 1000;
/** For this long readers are answered from memory while it is asked: it may be busy with a collection. */
const WAIT_AFTER_MS = 5000;
/** Change numbers are read again this far back: they may become visible out of order. */
const SEQ_OVERLAP = 50;
/** Applications whose charts are remembered: some 40 paths, about 20 MB. */
const DETAIL_SERIES = 400;
/** Planned downtime that may matter to a history of 13 months, in minutes. */
const POLICY_MINUTES = 400 * 1440;
/** A minute beyond any window. */
const FAR = 2 ** 31 - 1;

/** What the store says now, apart from the counts themselves. */
export interface SignalStatus {
  /** Rises with every change. */
  version: number;
  seriesByKey: ReadonlyMap<string, Series>;
  /** Planned downtime by path, the oldest first. */
  maintenance: ReadonlyMap<string, StoredMaintenance[]>;
  /** The newest budget reset by path. */
  resets: ReadonlyMap<string, StoredReset>;
}

const NO_RANGES: readonly MinuteRange[] = [];

/**
 * The stored counts, remembered in memory. What is stored decides: every write
 * leaves a change record, and each replica drops what the record touches, so
 * all of them answer the same within a second.
 */
export class StoredSignals {
  readonly #store: SignalStore;
  readonly #policy: Pick<PolicyStore, 'listMaintenance' | 'listResets'>;
  readonly #settings: CriticalPathsSettings;
  readonly #now: () => number;
  /** Where paths are measured, for the boards. */
  readonly #boardReader: CellReader;
  /** Applications of the paths that somebody looks at. */
  readonly #detailReader: CellReader;
  #status?: SignalStatus;
  #downtime = new Map<string, readonly MinuteRange[]>();
  #pathOfSeries = new Map<number, string>();
  #syncedAt = -Infinity;
  #syncing?: Promise<SignalStatus>;
  #seq = 0;
  #seen = new Set<number>();

  constructor(options: {
    store: SignalStore;
    policy: Pick<PolicyStore, 'listMaintenance' | 'listResets'>;
    settings: CriticalPathsSettings;
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#policy = options.policy;
    this.#settings = options.settings;
    this.#now = options.now ?? Date.now;
    const excluded = (id: number) =>
      this.downtime(this.#pathOfSeries.get(id) ?? '');
    this.#boardReader = new CellReader(options.store, { excluded });
    this.#detailReader = new CellReader(options.store, {
      maxSeries: DETAIL_SERIES,
      excluded,
    });
  }

  /** The last minute that is over and has had time to arrive, in minutes since the epoch. */
  until(): number {
    return Math.floor(
      (this.#now() - this.#settings.delaySeconds * 1000) / 60_000,
    );
  }

  /** Planned downtime of a path as ranges that do not touch; as of the last {@link sync}. */
  downtime(pathRef: string): readonly MinuteRange[] {
    return this.#downtime.get(pathRef) ?? NO_RANGES;
  }

  /** Cells of the given feeds on a grid, by id of the series. */
  async cells(
    feeds: StepFeed[],
    grid: Grid,
    purpose: 'board' | 'detail',
  ): Promise<Map<number, FeedCells>> {
    const series = feeds.flatMap(feed => feed.series ?? []);
    const reader = purpose === 'board' ? this.#boardReader : this.#detailReader;
    const cells = await reader.read([...new Set(series.map(s => s.id))], grid);
    return new Map(
      series.map(s => [
        s.id,
        {
          cells: cells.get(s.id) ?? [],
          covered: subtractRanges(s.covered, this.downtime(s.pathRef)),
          latencyError: s.latencyError,
        },
      ]),
    );
  }

  /**
   * What is known of the store, for readers who come often: as {@link sync}, but
   * they do not wait for the database when it answered in the last seconds.
   * Once it has failed they do, and this rejects.
   */
  async recent(): Promise<SignalStatus> {
    const next = this.sync();
    if (
      this.#status &&
      Math.abs(this.#now() - this.#syncedAt) < WAIT_AFTER_MS
    ) {
      next.catch(() => this.expire()); // the next reader waits, and meets the error
      return this.#status;
    }
    return next;
  }

  /** Takes over what was written since, at most once a second. Rejects while the database is away. */
  async sync(): Promise<SignalStatus> {
    if (
      this.#status &&
      Math.abs(this.#now() - this.#syncedAt) < SYNC_EVERY_MS
    ) {
      return this.#status;
    }
    if (!this.#syncing) {
      this.#syncing = this.#takeChanges().finally(() => {
        this.#syncing = undefined;
      });
    }
    return this.#syncing;
  }

  /** Asks the database at the next {@link sync}, whenever the last one was. */
  expire(): void {
    this.#syncedAt = -Infinity;
  }

  async #takeChanges(): Promise<SignalStatus> {
    const startedAt = this.#now();
    const { changes, oldest } = await this.#store.changesSince(
      Math.max(0, this.#seq - SEQ_OVERLAP),
    );
    const fresh = changes.filter(change => !this.#seen.has(change.seq));
    if (!this.#status || fresh.length > 0) {
      const until = this.until();
      const since = until - POLICY_MINUTES;
      const [series, maintenance, resets] = await Promise.all([
        this.#store.listSeries(),
        this.#policy.listMaintenance({ from: since, to: FAR }),
        this.#policy.listResets(since),
      ]);
      const windows = new Map<string, StoredMaintenance[]>();
      for (const window of maintenance) {
        windows.set(window.pathRef, [
          ...(windows.get(window.pathRef) ?? []),
          window,
        ]);
      }
      this.#downtime = new Map(
        [...windows].map(([pathRef, list]) => [
          pathRef,
          mergeRanges(list.map(({ from, to }) => [from, to] as MinuteRange)),
        ]),
      );
      this.#pathOfSeries = new Map(series.map(s => [s.id, s.pathRef]));
      if (oldest !== undefined && oldest > this.#seq + 1) {
        // Records between the last look and now are gone already.
        this.#boardReader.clear();
        this.#detailReader.clear();
      }
      this.#boardReader.invalidate(fresh, until);
      this.#detailReader.invalidate(fresh, until);
      this.#status = {
        version: (this.#status?.version ?? 0) + 1,
        seriesByKey: new Map(series.map(s => [seriesKey(s), s])),
        maintenance: windows,
        resets: new Map(resets.map(reset => [reset.pathRef, reset])),
      };
      for (const { seq } of fresh) {
        this.#seq = Math.max(this.#seq, seq);
        this.#seen.add(seq);
      }
      for (const seq of this.#seen) {
        if (seq <= this.#seq - SEQ_OVERLAP) {
          this.#seen.delete(seq);
        }
      }
    }
    this.#syncedAt = startedAt;
    return this.#status;
  }
}
