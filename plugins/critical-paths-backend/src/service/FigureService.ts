import {
  evaluateObjective,
  type BoardWindow,
  type CriticalPathObjective,
  type ObjectiveResult,
  type ResolvedPath,
  type Series as ChartSeries,
  type Signals,
} from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsSettings } from '../settings';
import { seriesKey } from '../store/seriesKey';
import type { Series, SignalStore } from '../store/SignalStore';
import { CellReader } from './CellReader';
import { distinctFeeds, feedsOf, type StepFeed } from './feeds';
import {
  observedMinutes,
  seriesOf,
  signalsOf,
  sumFeeds,
  type FeedCells,
} from './figures';
import type { PathDirectory, PathModel } from './PathDirectory';
import { objectiveGrid, windowGrid, type Grid } from './windows';

/** How often, at most, the database is asked whether anything changed. */
const SYNC_EVERY_MS = 1000;
/** Change numbers are read again this far back: they may become visible out of order. */
const SEQ_OVERLAP = 50;
/** A board is handed out while the next one is made, but not when it is older than this. */
const MAX_BOARD_AGE_MS = 90_000;
/** Applications whose charts are remembered: some 20 paths. */
const DETAIL_SERIES = 200;

/** Figures of one path over one window; state and age are added when it is handed out. */
export interface PathFigures {
  resolved: ResolvedPath;
  /** All applications at all steps. */
  feeds: StepFeed[];
  signals: Signals;
  sparkline: ChartSeries;
  objectives: ObjectiveResult[];
}

/** Figures of all paths over one window. */
export interface Board {
  /** Rises whenever the content may differ. */
  version: number;
  grid: Grid;
  model: PathModel;
  figures: Map<string, PathFigures>;
}

interface Status {
  version: number;
  seriesByKey: Map<string, Series>;
}

/**
 * Keeps the boards ready in memory. What is stored decides: every write leaves
 * a change record, and each replica drops what the record touches, so all of
 * them answer the same within a second.
 */
export class FigureService {
  readonly #store: SignalStore;
  readonly #directory: Pick<PathDirectory, 'model'>;
  readonly #settings: CriticalPathsSettings;
  readonly #now: () => number;
  /** Entry steps of all paths, for the boards. */
  readonly #boardReader: CellReader;
  /** Applications of the paths that somebody looks at. */
  readonly #detailReader: CellReader;
  #status?: Status;
  #syncedAt = -Infinity;
  #syncing?: Promise<Status>;
  #seq = 0;
  #seen = new Set<number>();
  #versions = 0;
  readonly #boards = new Map<
    BoardWindow,
    { madeAt: number; statusVersion: number; board: Board }
  >();
  /** Boards are made one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: {
    store: SignalStore;
    directory: Pick<PathDirectory, 'model'>;
    settings: CriticalPathsSettings;
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#directory = options.directory;
    this.#settings = options.settings;
    this.#now = options.now ?? Date.now;
    this.#boardReader = new CellReader(options.store);
    this.#detailReader = new CellReader(options.store, {
      maxSeries: DETAIL_SERIES,
    });
  }

  /** The last minute that is over and has had time to arrive, in minutes since the epoch. */
  until(): number {
    return Math.floor(
      (this.#now() - this.#settings.delaySeconds * 1000) / 60_000,
    );
  }

  /** The board over a window, at most as old as one collection. */
  async board(window: BoardWindow): Promise<Board> {
    const status = await this.#sync();
    const model = await this.#directory.model();
    const until = this.until();
    const known = this.#boards.get(window);
    if (
      known &&
      known.statusVersion === status.version &&
      known.board.model === model &&
      known.board.grid.to === until
    ) {
      return known.board;
    }
    const next = this.#exclusive(() => this.#make(window, model, until));
    if (
      known &&
      known.board.model === model &&
      this.#now() - known.madeAt < MAX_BOARD_AGE_MS
    ) {
      next.catch(() => {}); // the next reader meets the same error and reports it
      return known.board;
    }
    return next;
  }

  /** Cells of the given feeds on a grid. */
  async cellsOf(
    feeds: StepFeed[],
    grid: Grid,
  ): Promise<Map<number, FeedCells>> {
    const series = feeds.flatMap(feed => feed.series ?? []);
    return this.#cells(series, grid, this.#detailReader);
  }

  /** Objectives held against the sum of the feeds, each over its own window. */
  async judge(
    objectives: CriticalPathObjective[],
    feeds: StepFeed[],
    until: number,
    reader = this.#detailReader,
  ): Promise<ObjectiveResult[]> {
    const series = distinctFeeds(feeds).flatMap(feed => feed.series ?? []);
    const byDays = new Map<number, { cells: FeedCells[]; grid: Grid }>();
    for (const { windowDays } of objectives) {
      if (!byDays.has(windowDays)) {
        const grid = objectiveGrid(windowDays, until);
        const cells = await this.#cells(series, grid, reader);
        byDays.set(windowDays, { grid, cells: [...cells.values()] });
      }
    }
    return objectives.map(objective => {
      const { grid, cells } = byDays.get(objective.windowDays)!;
      return evaluateObjective(
        objective,
        sumFeeds(cells).toCounts(),
        observedMinutes(cells, grid.from, grid.to),
      );
    });
  }

  async #cells(
    series: Series[],
    grid: Grid,
    reader: CellReader,
  ): Promise<Map<number, FeedCells>> {
    const cells = await reader.read(
      series.map(s => s.id),
      grid,
    );
    return new Map(
      series.map(s => [
        s.id,
        { cells: cells.get(s.id) ?? [], covered: s.covered },
      ]),
    );
  }

  async #make(
    window: BoardWindow,
    model: PathModel,
    until: number,
  ): Promise<Board> {
    // Several readers may have queued up behind the one that made it.
    const status = this.#status!;
    const known = this.#boards.get(window);
    if (
      known &&
      known.statusVersion === status.version &&
      known.board.model === model &&
      known.board.grid.to >= until
    ) {
      return known.board;
    }
    const grid = windowGrid(window, until, 'sparkline');
    const feedsByPath = new Map(
      [...model.paths.values()].map(resolved => [
        resolved.path.entityRef,
        feedsOf(resolved, status.seriesByKey),
      ]),
    );
    // Read ahead for all paths at once; the loop below then finds it remembered.
    const measured = [...feedsByPath.values()].flatMap(feeds =>
      distinctFeeds(feeds.filter(f => f.entry)),
    );
    const cells = await this.#cells(
      measured.flatMap(feed => feed.series ?? []),
      grid,
      this.#boardReader,
    );
    const figures = new Map<string, PathFigures>();
    let count = 0;
    for (const resolved of model.paths.values()) {
      const feeds = feedsByPath.get(resolved.path.entityRef)!;
      const entry = distinctFeeds(feeds.filter(f => f.entry));
      const own = entry.flatMap(f =>
        f.series ? cells.get(f.series.id) ?? [] : [],
      );
      figures.set(resolved.path.entityRef, {
        resolved,
        feeds,
        signals: signalsOf(own, grid),
        sparkline: seriesOf(own, grid),
        objectives: await this.judge(
          resolved.path.objectives,
          entry,
          until,
          this.#boardReader,
        ),
      });
      count += 1;
      if (count % 20 === 0) {
        // Let other requests in between.
        await new Promise(resolve => setImmediate(resolve));
      }
    }
    this.#versions += 1;
    const board = { version: this.#versions, grid, model, figures };
    this.#boards.set(window, {
      madeAt: this.#now(),
      statusVersion: status.version,
      board,
    });
    return board;
  }

  /** Takes over what was written since, at most once a second. Rejects while the database is away. */
  async #sync(): Promise<Status> {
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

  async #takeChanges(): Promise<Status> {
    const startedAt = this.#now();
    const { changes, oldest } = await this.#store.changesSince(
      Math.max(0, this.#seq - SEQ_OVERLAP),
    );
    const fresh = changes.filter(change => !this.#seen.has(change.seq));
    if (!this.#status || fresh.length > 0) {
      if (oldest !== undefined && oldest > this.#seq + 1) {
        // Records between the last look and now are gone already.
        this.#boardReader.clear();
        this.#detailReader.clear();
      }
      this.#boardReader.invalidate(fresh, this.until());
      this.#detailReader.invalidate(fresh, this.until());
      const series = await this.#store.listSeries();
      this.#status = {
        version: (this.#status?.version ?? 0) + 1,
        seriesByKey: new Map(series.map(s => [seriesKey(s), s])),
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

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => {});
    return result;
  }
}
