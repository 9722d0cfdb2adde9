import { CellSum } from '../store/cells';
import type {
  RowLevel,
  SignalCell,
  SignalRow,
  SignalStore,
  StoreChange,
} from '../store/SignalStore';
import type { MinuteRange } from '../store/ranges';
import { intervalEnd, intervalLevel, type Grid } from './windows';

/** An interval that was summed up; no cell when it has no request. */
interface CachedInterval {
  from: number;
  to: number;
  /** Age (minutes) beyond which no grid asks for it any more. */
  span: number;
  cell?: SignalCell;
}

/** Minutes that a row of each level stands for. */
const LEVEL_MINUTES: Record<RowLevel, number> = {
  minute: 1,
  quarter: 15,
  hour: 60,
  day: 1440,
};

/** Rows that one query may return: bounds the time that SQLite blocks the process. */
const ROWS_PER_READ = 20_000;

/**
 * Sums stored rows up to the intervals of a grid. Intervals are remembered
 * until a change in the database touches them, so an answer after a collection
 * reads only the newest interval of each series again.
 */
export class CellReader {
  readonly #store: Pick<SignalStore, 'readRows'>;
  readonly #maxSeries: number;
  readonly #excluded: (seriesId: number) => readonly MinuteRange[];
  readonly #cache = new Map<number, Map<string, CachedInterval>>();
  /** Rises with every change, so that rows read before it are not remembered after it. */
  #epoch = 0;

  /**
   * Remembers at most `maxSeries` series, those that were asked for last.
   * Minutes of a series that are `excluded` (planned downtime) are left out;
   * longer rows are stored without them.
   */
  constructor(
    store: Pick<SignalStore, 'readRows'>,
    options: {
      maxSeries?: number;
      excluded?: (seriesId: number) => readonly MinuteRange[];
    } = {},
  ) {
    this.#store = store;
    this.#maxSeries = options.maxSeries ?? Infinity;
    this.#excluded = options.excluded ?? (() => []);
  }

  /** The cells of each series by interval of the grid. */
  async read(
    seriesIds: number[],
    grid: Grid,
  ): Promise<Map<number, (SignalCell | undefined)[]>> {
    const epoch = this.#epoch;
    const keys = grid.starts.map((_, i) => intervalKey(grid, i));
    const levels = grid.starts.map((_, i) => intervalLevel(grid, i));
    const result = new Map<number, (SignalCell | undefined)[]>();
    // Series that miss the same run of intervals are read together.
    const runs = new Map<
      string,
      { first: number; last: number; level: RowLevel; ids: number[] }
    >();
    for (const id of seriesIds) {
      const known = this.#cache.get(id);
      if (known) {
        this.#cache.delete(id);
        this.#cache.set(id, known);
      }
      const cells: (SignalCell | undefined)[] = new Array(grid.starts.length);
      let first = -1;
      const close = (last: number) => {
        const name = `${first}-${last}`;
        const run = runs.get(name) ?? {
          first,
          last,
          level: levels[first],
          ids: [],
        };
        run.ids.push(id);
        runs.set(name, run);
        first = -1;
      };
      grid.starts.forEach((start, i) => {
        const hit = known?.get(keys[i]);
        const usable =
          hit && hit.from === start && hit.to === intervalEnd(grid, i);
        if (first !== -1 && (usable || levels[i] !== levels[first])) {
          close(i - 1);
        }
        if (usable) {
          cells[i] = hit.cell;
        } else if (first === -1) {
          first = i;
        }
      });
      if (first !== -1) {
        close(grid.starts.length - 1);
      }
      result.set(id, cells);
    }
    for (const { first, last, level, ids } of runs.values()) {
      const from = grid.starts[first];
      const to = intervalEnd(grid, last);
      const rowsPerSeries = (to - from) / LEVEL_MINUTES[level] + 1;
      const slice = Math.max(1, Math.floor(ROWS_PER_READ / rowsPerSeries));
      for (let i = 0; i < ids.length; i += slice) {
        const part = ids.slice(i, i + slice);
        const rows = await this.#store.readRows(level, part, from, to);
        const sums = sumByInterval(
          level === 'minute' ? this.#counted(rows) : rows,
          grid,
        );
        for (const id of part) {
          const cells = result.get(id)!;
          for (let index = first; index <= last; index++) {
            const cell = sums.get(id)?.get(index);
            cells[index] = cell;
            if (epoch === this.#epoch) {
              this.#remember(id, keys[index], {
                from: grid.starts[index],
                to: intervalEnd(grid, index),
                span: grid.reach + 2 * grid.step,
                cell,
              });
            }
          }
        }
      }
    }
    return result;
  }

  /** Forgets the intervals that a change touches, and those that have passed out of every window. */
  invalidate(changes: StoreChange[], until: number): void {
    this.#epoch += 1;
    for (const change of changes) {
      for (const id of change.seriesIds ?? this.#cache.keys()) {
        const known = this.#cache.get(id);
        for (const [key, interval] of known ?? []) {
          // Longer rows are sums: a changed minute changes the row that holds
          // it, and an interval always ends with the last of its rows.
          const touched =
            interval.from < change.to && interval.to > change.from;
          if (touched || interval.to < until - interval.span) {
            known!.delete(key);
          }
        }
      }
    }
  }

  clear(): void {
    this.#epoch += 1;
    this.#cache.clear();
  }

  #counted(rows: SignalRow[]): SignalRow[] {
    return rows.filter(
      ({ seriesId, at }) =>
        !this.#excluded(seriesId).some(([from, to]) => at >= from && at < to),
    );
  }

  #remember(id: number, key: string, interval: CachedInterval): void {
    let known = this.#cache.get(id);
    if (!known) {
      known = new Map();
      this.#cache.set(id, known);
      const oldest = this.#cache.keys().next();
      if (this.#cache.size > this.#maxSeries && !oldest.done) {
        this.#cache.delete(oldest.value);
      }
    }
    known.set(key, interval);
  }
}

/** Whole intervals are shared by level and length; cut ones belong to their grid alone. */
function intervalKey(grid: Grid, index: number): string {
  const start = grid.starts[index];
  if (start % grid.step !== 0) {
    return `${grid.name}/first`;
  }
  return intervalEnd(grid, index) % grid.step === 0
    ? `${grid.level}/${grid.step}/${start}`
    : `${grid.name}/last`;
}

/** Sums rows up by interval. An interval of one row is that row: no sum is made. */
function sumByInterval(
  rows: SignalRow[],
  grid: Grid,
): Map<number, Map<number, SignalCell>> {
  const offset = Math.floor(grid.from / grid.step);
  const result = new Map<number, Map<number, SignalCell>>();
  const sums = new Map<SignalCell, CellSum>();
  for (const row of rows) {
    const index = Math.floor(row.at / grid.step) - offset;
    let intervals = result.get(row.seriesId);
    if (!intervals) {
      intervals = new Map();
      result.set(row.seriesId, intervals);
    }
    const first = intervals.get(index);
    if (!first) {
      intervals.set(index, row);
      continue;
    }
    let sum = sums.get(first);
    if (!sum) {
      sum = new CellSum();
      sum.add(first);
      sums.set(first, sum);
    }
    sum.add(row);
  }
  for (const intervals of result.values()) {
    for (const [index, first] of intervals) {
      const sum = sums.get(first);
      if (sum) {
        intervals.set(index, sum.toCell());
      }
    }
  }
  return result;
}
