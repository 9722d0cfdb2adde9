import {
  resolvePackagePath,
  type DatabaseService,
} from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';
import { clipRanges, type MinuteRange } from './ranges';
import {
  breathe,
  guarded,
  isSqlite,
  slices,
  toSeries,
  type SeriesRow,
} from './rows';
import { seriesKey } from './seriesKey';
import {
  INSERT_ROWS,
  readCountSlice,
  readSlice,
  recordChange,
  replaceSlice,
  sumUpSlice,
} from './windowRows';
import type {
  PruneLimits,
  RowLevel,
  Series,
  SeriesDescriptor,
  SignalCount,
  SignalRow,
  SignalStore,
  StoreChange,
  StoredQuery,
  WindowWrite,
} from './SignalStore';

/** Series per transaction or query: bounds how long a lock is held and SQLite blocks the process. */
const SLICE = 25;
/** How often a series is noted as still wanted; retention works in days. */
const SEEN_EVERY_SECONDS = 3600;
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
    return guarded(async () => {
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
    return guarded(async () => {
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
    await guarded(async () => {
      for (const entries of slices(write.entries, SLICE)) {
        await this.#db.transaction(tx =>
          replaceSlice(tx, { ...write, entries }),
        );
        await breathe();
      }
    });
  }

  async sumUpAgain(
    pathRef: string,
    from: number,
    to: number,
    time: number,
  ): Promise<void> {
    await guarded(async () => {
      const series: SeriesRow[] = await this.#db('cp_series')
        .where('path_ref', pathRef)
        .orderBy('id');
      for (const slice of slices(series, SLICE)) {
        // A day at a time bounds how long the lock is held.
        for (let start = from; start < to; start += 1440) {
          await this.#db.transaction(async tx => {
            if (!isSqlite(tx)) {
              await tx('cp_series')
                .whereIn(
                  'id',
                  slice.map(row => row.id),
                )
                .orderBy('id')
                .forUpdate();
            }
            await sumUpSlice(
              tx,
              slice,
              start,
              Math.min(to, start + 1440),
              time,
            );
          });
          await breathe();
        }
      }
    });
  }

  async recordFailures(
    failures: { seriesIds: number[]; message: string }[],
    time: number,
  ): Promise<void> {
    await guarded(async () => {
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
        await recordChange(tx, 0, 0, [], time);
      });
    });
  }

  async truncateCoverage(seriesIds: number[], at: number): Promise<void> {
    await guarded(async () => {
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
          await recordChange(tx, 0, 0, [], Math.floor(at * 60));
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
    return guarded(async () => {
      const result: SignalRow[] = [];
      for (const ids of slices(seriesIds, SLICE)) {
        for (const row of await readSlice(this.#db, level, ids, from, to)) {
          result.push(row);
        }
        await breathe();
      }
      return result;
    });
  }

  async readCounts(
    level: RowLevel,
    seriesIds: number[],
    from: number,
    to: number,
  ): Promise<SignalCount[]> {
    return guarded(async () => {
      const result: SignalCount[] = [];
      for (const ids of slices(seriesIds, SLICE)) {
        for (const row of await readCountSlice(
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

  async saveQueries(
    queries: Map<string, StoredQuery[]>,
    time: number,
  ): Promise<void> {
    await guarded(async () => {
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
    return guarded(async () => {
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
    await guarded(async () => {
      await this.#db.transaction(async tx => {
        for (const { seriesId, url } of urls) {
          await tx('cp_series')
            .where('id', seriesId)
            .update({ source_url: url });
        }
      });
    });
  }

  async changesSince(
    seq: number,
  ): Promise<{ changes: StoreChange[]; oldest?: number }> {
    return guarded(async () => {
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
    return guarded(async () => {
      let deleted = 0;
      const ids: number[] = await this.#db('cp_series')
        .orderBy('id')
        .pluck('id');
      for (const [table, before] of [
        ['cp_minutes', limits.minutesBefore],
        ['cp_quarters', limits.minutesBefore],
        ['cp_hours', limits.hoursBefore],
        ['cp_days', limits.daysBefore],
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
        .where('last_seen_time', '<', limits.daysBefore * 60)
        .delete();
      return deleted;
    });
  }
}
