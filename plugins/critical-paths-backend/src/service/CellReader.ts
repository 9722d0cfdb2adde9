import { CellSum } from '../store/cells';
import type {
  SignalCell,
  SignalRow,
  SignalStore,
  StoreChange,
} from '../store/SignalStore';
import type { Grid } from './windows';

/** An interval that was summed up; no cell when it has no request. */
interface CachedInterval {
  from: number;
  to: number;
  /** Age (minutes) beyond which no grid asks for it any more. */
  span: number;
  cell?: SignalCell;
}

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
  readonly #cache = new Map<number, Map<string, CachedInterval>>();
  /** Rises with every change, so that rows read before it are not remembered after it. */
  #epoch = 0;

  /** Remembers at most `maxSeries` series, those that were asked for last. */
  constructor(
    store: Pick<SignalStore, 'readRows'>,
    options: { maxSeries?: number } = {},
  ) {
    this.#store = store;
    this.#maxSeries = options.maxSeries ?? Infinity;
  }

  /** The cells of each series by interval of the grid. */
  async read(
    seriesIds: number[],
    grid: Grid,
  ): Promise<Map<number, (SignalCell | undefined)[]>> {
    const epoch = this.#epoch;
    const keys = grid.starts.map((_, i) => intervalKey(grid, i));
    const result = new Map<number, (SignalCell | undefined)[]>();
    // Series that miss the same run of intervals are read together.
    const runs = new Map<
      string,
      { first: number; last: number; ids: number[] }
    >();
    for (const id of seriesIds) {
      const known = this.#cache.get(id);
      if (known) {
        this.#cache.delete(id);
        this.#cache.set(id, known);
      }
      const cells: (SignalCell | undefined)[] = new Array(grid.starts.length);
      let first = -1;
      for (let i = 0; i <= grid.starts.length; i++) {
        const hit = i < grid.starts.length ? known?.get(keys[i]) : undefined;
        const usable = hit && hit.from === grid.starts[i];
        if (usable) {
          cells[i] = hit.cell;
        }
        if (!usable && i < grid.starts.length) {
          first = first === -1 ? i : first;
        } else if (first !== -1) {
          const name = `${first}-${i - 1}`;
          const run = runs.get(name) ?? { first, last: i - 1, ids: [] };
          run.ids.push(id);
          runs.set(name, run);
          first = -1;
        }
      }
      result.set(id, cells);
    }
    for (const { first, last, ids } of runs.values()) {
      const from = grid.starts[first];
      const to = intervalEnd(grid, last);
      const rowsPerSeries =
        (to - from) / (grid.level === 'minute' ? 1 : 60) + 1;
      const slice = Math.max(1, Math.floor(ROWS_PER_READ / rowsPerSeries));
      for (let i = 0; i < ids.length; i += slice) {
        const part = ids.slice(i, i + slice);
        const rows = await this.#store.readRows(grid.level, part, from, to);
        const sums = sumByInterval(rows, grid);
        for (const id of part) {
          const cells = result.get(id)!;
          for (let index = first; index <= last; index++) {
            const cell = sums.get(id)?.get(index)?.toCell();
            cells[index] = cell;
            if (epoch === this.#epoch) {
              this.#remember(id, keys[index], {
                from: grid.starts[index],
                to: intervalEnd(grid, index),
                span: grid.to - grid.from + 2 * grid.step,
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
          // Hours are sums: a changed minute changes the hour that holds it,
          // and an interval of hours always ends with its hour.
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

/** End of an interval; the newest one is taken to its full length, there are no rows beyond now. */
function intervalEnd(grid: Grid, index: number): number {
  return (
    grid.starts[index + 1] ??
    (Math.floor(grid.starts[index] / grid.step) + 1) * grid.step
  );
}

/** Whole intervals are shared by level and length; a cut first one belongs to its grid alone. */
function intervalKey(grid: Grid, index: number): string {
  const start = grid.starts[index];
  return start % grid.step === 0
    ? `${grid.level}/${grid.step}/${start}`
    : `${grid.name}/first`;
}

function sumByInterval(
  rows: SignalRow[],
  grid: Grid,
): Map<number, Map<number, CellSum>> {
  const offset = Math.floor(grid.from / grid.step);
  const result = new Map<number, Map<number, CellSum>>();
  for (const row of rows) {
    const index = Math.floor(row.at / grid.step) - offset;
    let intervals = result.get(row.seriesId);
    if (!intervals) {
      intervals = new Map();
      result.set(row.seriesId, intervals);
    }
    let sum = intervals.get(index);
    if (!sum) {
      sum = new CellSum();
      intervals.set(index, sum);
    }
    sum.add(row);
  }
  return result;
}
