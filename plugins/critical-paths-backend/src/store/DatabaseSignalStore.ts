import {
  resolvePackagePath,
  type DatabaseService,
} from '@backstage/backend-plugin-api';
import { ServiceUnavailableError } from '@backstage/errors';
import type { Knex } from 'knex';
import { CellSum, decodeCell, encodeCell } from './cells';
import { addRange, clipRanges, type MinuteRange } from './ranges';
import { seriesKey } from './seriesKey';
import type {
  PruneLimits,
  RowLevel,
  Series,
  SeriesDescriptor,
  SignalRow,
  SignalStore,
  StoreChange,
  StoredQuery,
  WindowEntry,
  WindowWrite,
} from './SignalStore';

const TABLES: Record<RowLevel, string> = {
  minute: 'cp_minutes',
  hour: 'cp_hours',
};
/** Series per transaction or query: bounds how long a lock is held and SQLite blocks the process. */
const SLICE = 25;
/** Rows per insert statement; SQLite takes at most 500 (terms of a compound select). */
const INSERT_ROWS = 400;
/** How often a series is noted as still wanted; retention works in days. */
const SEEN_EVERY_SECONDS = 3600;
/** Change records name up to this many series; a wider change is about all of them. */
const NAMED_SERIES = 25;

interface SeriesRow {
  id: number;
  series_key: string;
  path_ref: string;
  component_ref: string;
  step: string;
  source: string;
  account: string | null;
  app_name: string;
  critical_path: string;
  operation: string | null;
  last_seen_time: number | string;
  covered: string;
  watermark_at: number | null;
  newest_data_at: number | null;
  last_success_time: number | string | null;
  last_error_time: number | string | null;
  last_error: string | null;
  source_url: string | null;
}

interface CountRow {
  series_id: number;
  at: number;
  valid: number | string;
  good: number | string;
  data: string;
}

function optionalNumber(value: number | string | null): number | undefined {
  return value === null ? undefined : Number(value);
}

function toSeries(row: SeriesRow): Series {
  return {
    id: row.id,
    pathRef: row.path_ref,
    componentRef: row.component_ref,
    step: row.step,
    selection: {
      source: row.source,
      account: row.account ?? undefined,
      appName: row.app_name,
      criticalPath: row.critical_path,
      operation: row.operation ?? undefined,
    },
    covered: JSON.parse(row.covered),
    watermarkAt: optionalNumber(row.watermark_at),
    newestDataAt: optionalNumber(row.newest_data_at),
    lastSuccessTime: optionalNumber(row.last_success_time),
    lastErrorTime: optionalNumber(row.last_error_time),
    lastError: row.last_error ?? undefined,
    sourceUrl: row.source_url ?? undefined,
  };
}

function* slices<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let i = 0; i < list.length; i += size) {
    yield list.slice(i, i + size);
  }
}

/** True for errors that say that the database is away rather than that a statement is wrong. */
function isConnectionError(error: unknown): boolean {
  const { code, name, message } = error as {
    code?: unknown;
    name?: string;
    message?: string;
  };
  return (
    name === 'KnexTimeoutError' ||
    (typeof code === 'string' &&
      /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|EAI_AGAIN|08|57P0|53300|SQLITE_(CANTOPEN|IOERR|BUSY))/.test(
        code,
      )) ||
    /Connection terminated|Unable to acquire a connection|connection is not open/i.test(
      message ?? '',
    )
  );
}

/** {@link SignalStore} on SQLite and PostgreSQL. */
export class DatabaseSignalStore implements SignalStore {
  readonly #db: Knex;

  static async create(options: {
    database: DatabaseService;
  }): Promise<DatabaseSignalStore> {
    const client = await options.database.getClient();
    if (!options.database.migrations?.skip) {
      await client.migrate.latest({
        directory: resolvePackagePath(
          '@rocket/plugin-critical-paths-backend',
          'migrations',
        ),
      });
    }
    return new DatabaseSignalStore(client);
  }

  private constructor(db: Knex) {
    this.#db = db;
  }

  async registerSeries(
    descriptors: SeriesDescriptor[],
    time: number,
  ): Promise<Series[]> {
    return this.#guard(async () => {
      const keys = descriptors.map(seriesKey);
      let known = await this.#findSeries(keys);
      const missing = [...keys.keys()].filter(i => !known.has(keys[i]));
      for (const slice of slices(missing, 200)) {
        await this.#db('cp_series')
          .insert(
            slice.map(i => {
              const d = descriptors[i];
              return {
                series_key: keys[i],
                path_ref: d.pathRef,
                component_ref: d.componentRef,
                step: d.step,
                source: d.selection.source,
                account: d.selection.account ?? null,
                app_name: d.selection.appName,
                critical_path: d.selection.criticalPath,
                operation: d.selection.operation ?? null,
                last_seen_time: time,
                covered: '[]',
              };
            }),
          )
          .onConflict('series_key')
          .ignore();
        await breathe();
      }
      if (missing.length > 0) {
        known = await this.#findSeries(keys);
      }
      // Known series are noted as wanted once an hour: this runs in every cycle.
      const due = [...known.values()].filter(
        row => Number(row.last_seen_time) < time - SEEN_EVERY_SECONDS,
      );
      for (const slice of slices(due, 500)) {
        await this.#db('cp_series')
          .whereIn(
            'id',
            slice.map(row => row.id),
          )
          .update({ last_seen_time: time });
      }
      return keys.map(key => toSeries(known.get(key)!));
    });
  }

  async #findSeries(keys: string[]): Promise<Map<string, SeriesRow>> {
    const found = new Map<string, SeriesRow>();
    for (const slice of slices(keys, 500)) {
      const rows: SeriesRow[] = await this.#db('cp_series').whereIn(
        'series_key',
        slice,
      );
      rows.forEach(row => found.set(row.series_key, row));
    }
    return found;
  }

  async listSeries(): Promise<Series[]> {
    return this.#guard(async () => {
      const rows: SeriesRow[] = await this.#db('cp_series').orderBy('id');
      return rows.map(toSeries);
    });
  }

  async replaceWindow(write: WindowWrite): Promise<void> {
    if (
      write.to <= write.from ||
      (write.level === 'hour' && (write.from % 60 || write.to % 60))
    ) {
      throw new Error(
        `cannot replace ${write.level}s of [${write.from}, ${write.to})`,
      );
    }
    await this.#guard(async () => {
      for (const entries of slices(write.entries, SLICE)) {
        await this.#db.transaction(tx =>
          this.#replaceSlice(tx, { ...write, entries }),
        );
        await breathe();
      }
    });
  }

  async #replaceSlice(tx: Knex.Transaction, write: WindowWrite): Promise<void> {
    const { level, from, to, entries } = write;
    const ids = entries.map(e => e.seriesId);
    // Lock first: a second writer of the same series waits here.
    const query = tx<SeriesRow>('cp_series').whereIn('id', ids).orderBy('id');
    const series: SeriesRow[] = await (isSqlite(tx)
      ? query
      : query.forUpdate());

    const rows = entries.flatMap(({ seriesId, cells }) =>
      cells
        .filter(c => c.at >= from && c.at < to && c.valid > 0)
        .map(cell => ({ ...cell, seriesId })),
    );
    await this.#replaceRows(tx, level, ids, from, to, rows);
    if (level === 'minute') {
      const hourFrom = Math.floor(from / 60) * 60;
      const hourTo = Math.ceil(to / 60) * 60;
      await this.#replaceRows(
        tx,
        'hour',
        ids,
        hourFrom,
        hourTo,
        rollUp(await this.#readSlice(tx, 'minute', ids, hourFrom, hourTo)),
      );
    }
    const cellsById = new Map(entries.map(e => [e.seriesId, e]));
    const updated: SeriesRow[] = [];
    for (const row of series) {
      const covered = addRange(JSON.parse(row.covered), from, to);
      updated.push({
        ...row,
        covered: JSON.stringify(covered),
        watermark_at: covered[covered.length - 1][1],
        newest_data_at: await this.#newestData(
          tx,
          row,
          cellsById.get(row.id)!,
          write,
        ),
        last_success_time: write.time,
      });
    }
    if (updated.length > 0) {
      await tx('cp_series')
        .insert(updated)
        .onConflict('id')
        .merge([
          'covered',
          'watermark_at',
          'newest_data_at',
          'last_success_time',
        ]);
    }
    await this.#recordChange(tx, from, to, ids, write.time);
  }

  async #newestData(
    tx: Knex.Transaction,
    row: SeriesRow,
    entry: WindowEntry,
    write: WindowWrite,
  ): Promise<number | null> {
    let newest: number | undefined;
    for (const cell of entry.cells) {
      if (cell.valid > 0 && cell.at >= write.from && cell.at < write.to) {
        newest = Math.max(newest ?? cell.at, cell.at);
      }
    }
    const before = row.newest_data_at;
    if (before === null || (newest !== undefined && newest >= before)) {
      return newest ?? null;
    }
    if (before < write.from || before >= write.to) {
      return before;
    }
    // The newest minute was corrected away: look for the one before it.
    const [minute] = await tx('cp_minutes')
      .where('series_id', row.id)
      .max({ at: 'at' });
    const [hour] = await tx('cp_hours')
      .where('series_id', row.id)
      .max({ at: 'at' });
    return minute?.at ?? hour?.at ?? null;
  }

  async #replaceRows(
    tx: Knex.Transaction,
    level: RowLevel,
    ids: number[],
    from: number,
    to: number,
    rows: SignalRow[],
  ): Promise<void> {
    await tx(TABLES[level])
      .whereIn('series_id', ids)
      .andWhere('at', '>=', from)
      .andWhere('at', '<', to)
      .delete();
    for (const slice of slices(rows, INSERT_ROWS)) {
      await tx(TABLES[level]).insert(
        slice.map(row => ({
          series_id: row.seriesId,
          at: row.at,
          valid: row.valid,
          good: row.good,
          data: encodeCell(row),
        })),
      );
    }
  }

  async recordFailures(
    failures: { seriesIds: number[]; message: string }[],
    time: number,
  ): Promise<void> {
    await this.#guard(async () => {
      await this.#db.transaction(async tx => {
        for (const { seriesIds, message } of failures) {
          for (const ids of slices(seriesIds, 500)) {
            await tx('cp_series')
              .whereIn('id', ids)
              .update({
                last_error: message.slice(0, 2000),
                last_error_time: time,
              });
          }
        }
        await this.#recordChange(tx, 0, 0, [], time);
      });
    });
  }

  async truncateCoverage(seriesIds: number[], at: number): Promise<void> {
    await this.#guard(async () => {
      for (const ids of slices(seriesIds, SLICE)) {
        await this.#db.transaction(async tx => {
          const rows: SeriesRow[] = await tx('cp_series').whereIn('id', ids);
          for (const row of rows) {
            const covered = clipRanges(
              JSON.parse(row.covered) as MinuteRange[],
              -Infinity,
              at,
            );
            await tx('cp_series')
              .where('id', row.id)
              .update({
                covered: JSON.stringify(covered),
                watermark_at: covered[covered.length - 1]?.[1] ?? null,
              });
          }
          await this.#recordChange(tx, 0, 0, [], Math.floor(at * 60));
        });
      }
    });
  }

  async readRows(
    level: RowLevel,
    seriesIds: number[],
    from: number,
    to: number,
  ): Promise<SignalRow[]> {
    return this.#guard(async () => {
      const result: SignalRow[] = [];
      for (const ids of slices(seriesIds, SLICE)) {
        for (const row of await this.#readSlice(
          this.#db,
          level,
          ids,
          from,
          to,
        )) {
          result.push(row);
        }
        await breathe();
      }
      return result;
    });
  }

  async #readSlice(
    db: Knex,
    level: RowLevel,
    ids: number[],
    from: number,
    to: number,
  ): Promise<SignalRow[]> {
    const rows: CountRow[] = await db(TABLES[level])
      .select('series_id', 'at', 'valid', 'good', 'data')
      .whereIn('series_id', ids)
      .andWhere('at', '>=', from)
      .andWhere('at', '<', to)
      .orderBy(['series_id', 'at']);
    return rows.map(row => ({
      seriesId: row.series_id,
      at: row.at,
      ...decodeCell(Number(row.valid), Number(row.good), row.data),
    }));
  }

  async saveQueries(
    queries: Map<string, StoredQuery[]>,
    time: number,
  ): Promise<void> {
    await this.#guard(async () => {
      for (const paths of slices([...queries.keys()], SLICE)) {
        const rows = paths.flatMap(path_ref =>
          queries.get(path_ref)!.map((q, ordinal) => ({
            path_ref,
            ordinal,
            source: q.source,
            account: q.account ?? null,
            query: q.query,
            sent_time: time,
          })),
        );
        await this.#db.transaction(async tx => {
          await tx('cp_queries').whereIn('path_ref', paths).delete();
          for (const slice of slices(rows, INSERT_ROWS)) {
            await tx('cp_queries').insert(slice);
          }
        });
      }
    });
  }

  async listQueries(pathRef: string): Promise<StoredQuery[]> {
    return this.#guard(async () => {
      const rows: { source: string; account: string | null; query: string }[] =
        await this.#db('cp_queries')
          .where('path_ref', pathRef)
          .orderBy('ordinal');
      return rows.map(row => ({
        source: row.source,
        account: row.account ?? undefined,
        query: row.query,
      }));
    });
  }

  async setSourceUrls(
    urls: { seriesId: number; url: string }[],
  ): Promise<void> {
    await this.#guard(async () => {
      for (const { seriesId, url } of urls) {
        await this.#db('cp_series')
          .where('id', seriesId)
          .update({ source_url: url });
      }
    });
  }

  async changesSince(
    seq: number,
  ): Promise<{ changes: StoreChange[]; oldest?: number }> {
    return this.#guard(async () => {
      const rows: {
        seq: number;
        from_at: number;
        to_at: number;
        series: string | null;
      }[] = await this.#db('cp_changes')
        .where('seq', '>', seq)
        .orderBy('seq')
        .limit(10_000);
      const [first] = await this.#db('cp_changes').min({ seq: 'seq' });
      return {
        changes: rows.map(row => ({
          seq: row.seq,
          from: row.from_at,
          to: row.to_at,
          seriesIds: row.series === null ? undefined : JSON.parse(row.series),
        })),
        oldest: first?.seq ?? undefined,
      };
    });
  }

  async prune(limits: PruneLimits): Promise<number> {
    return this.#guard(async () => {
      let deleted = 0;
      const ids: number[] = await this.#db('cp_series')
        .orderBy('id')
        .pluck('id');
      for (const [table, before] of [
        ['cp_minutes', limits.minutesBefore],
        ['cp_hours', limits.hoursBefore],
      ] as const) {
        for (const slice of slices(ids, SLICE)) {
          if (limits.signal?.aborted) {
            return deleted;
          }
          deleted += await this.#db(table)
            .whereIn('series_id', slice)
            .andWhere('at', '<', before)
            .delete();
        }
      }
      deleted += await this.#db('cp_changes')
        .where('change_time', '<', limits.changesBefore)
        .delete();
      deleted += await this.#db('cp_series')
        .where('last_seen_time', '<', limits.hoursBefore * 60)
        .delete();
      return deleted;
    });
  }

  async #recordChange(
    tx: Knex.Transaction,
    from: number,
    to: number,
    ids: number[],
    time: number,
  ): Promise<void> {
    await tx('cp_changes').insert({
      from_at: from,
      to_at: to,
      series: ids.length > NAMED_SERIES ? null : JSON.stringify(ids),
      change_time: time,
    });
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isConnectionError(error)) {
        throw new ServiceUnavailableError(
          'The database of the critical paths cannot be reached; try again in a moment',
          error,
        );
      }
      throw error;
    }
  }
}

/** Lets other work of the process in: SQLite answers without ever leaving the event loop's turn. */
function breathe(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

function isSqlite(db: Knex): boolean {
  return String(db.client.config.client).includes('sqlite');
}

/** Sums minute rows, ordered by series and time, into hour rows. */
function rollUp(minutes: SignalRow[]): SignalRow[] {
  const hours: SignalRow[] = [];
  let sum: CellSum | undefined;
  let current: { seriesId: number; at: number } | undefined;
  const close = () => {
    if (sum && current) {
      hours.push({ ...current, ...sum.toCell() });
    }
  };
  for (const row of minutes) {
    const at = Math.floor(row.at / 60) * 60;
    if (!current || current.seriesId !== row.seriesId || current.at !== at) {
      close();
      sum = new CellSum();
      current = { seriesId: row.seriesId, at };
    }
    sum!.add(row);
  }
  close();
  return hours;
}
