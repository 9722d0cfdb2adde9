import type { Knex } from 'knex';
import { decodeCell, encodeCell } from './cells';
import { addRange, mergeRanges, type MinuteRange } from './ranges';
import { isSqlite, rollUp, slices, type SeriesRow } from './rows';
import type {
  RowLevel,
  SignalCount,
  SignalRow,
  WindowEntry,
  WindowWrite,
} from './SignalStore';

export const TABLES: Record<RowLevel, string> = {
  minute: 'cp_minutes',
  quarter: 'cp_quarters',
  hour: 'cp_hours',
  day: 'cp_days',
};
/** Rows per insert statement; SQLite takes at most 500 (terms of a compound select). */
export const INSERT_ROWS = 400;
/** Change records name up to this many series; a wider change is about all of them. */
const NAMED_SERIES = 25;
const DAY = 1440;

interface CountRow {
  series_id: number;
  at: number;
  valid: number | string;
  good: number | string;
  data: string;
}

/** Replaces a window for one slice of series, sums up its hours and days and notes the answer. */
export async function replaceSlice(
  tx: Knex.Transaction,
  write: WindowWrite,
): Promise<void> {
  const { level, from, to, entries } = write;
  const ids = entries.map(e => e.seriesId);
  // Lock first: a second writer of the same series waits here.
  const query = tx<SeriesRow>('cp_series').whereIn('id', ids).orderBy('id');
  const series: SeriesRow[] = await (isSqlite(tx) ? query : query.forUpdate());

  const downtime = await downtimeOf(tx, series, from, to);
  const rows = entries.flatMap(({ seriesId, cells }) =>
    cells
      .filter(
        c =>
          c.at >= from &&
          c.at < to &&
          c.valid > 0 &&
          // An hour that was read as such cannot be cut.
          !(level === 'hour' && within(downtime.get(seriesId), c.at, 60)),
      )
      .map(cell => ({ ...cell, seriesId })),
  );
  await replaceRows(tx, level, ids, from, to, rows);
  if (level === 'minute') {
    await sumUpMinutes(tx, ids, from, to, downtime);
  }
  await sumUpDays(tx, ids, from, to);
  const cellsById = new Map(entries.map(e => [e.seriesId, e]));
  const updated: SeriesRow[] = [];
  for (const row of series) {
    const covered = addRange(JSON.parse(row.covered), from, to);
    updated.push({
      ...row,
      covered: JSON.stringify(covered),
      watermark_at: covered[covered.length - 1][1],
      newest_data_at: await newestData(tx, row, cellsById.get(row.id)!, write),
      last_success_time: write.time,
      latency_error: cellsById.get(row.id)!.latencyError ?? null,
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
        'latency_error',
      ]);
  }
  await recordChange(tx, from, to, ids, write.time);
}

/** Planned downtime that overlaps `[from, to)`, to the full hours around it, by series. */
async function downtimeOf(
  db: Knex,
  series: Pick<SeriesRow, 'id' | 'path_ref'>[],
  from: number,
  to: number,
): Promise<Map<number, MinuteRange[]>> {
  const rows: { path_ref: string; from_at: number; to_at: number }[] = await db(
    'cp_maintenance',
  )
    .whereIn('path_ref', [...new Set(series.map(row => row.path_ref))])
    .andWhere('from_at', '<', Math.ceil(to / 60) * 60)
    .andWhere('to_at', '>', Math.floor(from / 60) * 60);
  const result = new Map<number, MinuteRange[]>();
  for (const { id, path_ref } of rows.length > 0 ? series : []) {
    const own = rows.filter(row => row.path_ref === path_ref);
    if (own.length > 0) {
      result.set(
        id,
        mergeRanges(own.map(row => [row.from_at, row.to_at] as MinuteRange)),
      );
    }
  }
  return result;
}

function within(
  ranges: readonly MinuteRange[] | undefined,
  at: number,
  minutes: number,
): boolean {
  return !!ranges?.some(([from, to]) => at >= from && at + minutes <= to);
}

/** Sums up the quarters and hours around `[from, to)` from the minutes outside of downtime. */
async function sumUpMinutes(
  tx: Knex.Transaction,
  ids: number[],
  from: number,
  to: number,
  downtime: Map<number, MinuteRange[]>,
): Promise<void> {
  const hourFrom = Math.floor(from / 60) * 60;
  const hourTo = Math.ceil(to / 60) * 60;
  const minutes = await readSlice(tx, 'minute', ids, hourFrom, hourTo);
  const counted =
    downtime.size > 0
      ? minutes.filter(row => !within(downtime.get(row.seriesId), row.at, 1))
      : minutes;
  const quarterFrom = Math.floor(from / 15) * 15;
  const quarterTo = Math.ceil(to / 15) * 15;
  await replaceRows(
    tx,
    'quarter',
    ids,
    quarterFrom,
    quarterTo,
    rollUp(
      counted.filter(row => row.at >= quarterFrom && row.at < quarterTo),
      15,
    ),
  );
  await replaceRows(tx, 'hour', ids, hourFrom, hourTo, rollUp(counted, 60));
}

async function sumUpDays(
  tx: Knex.Transaction,
  ids: number[],
  from: number,
  to: number,
): Promise<void> {
  const dayFrom = Math.floor(from / DAY) * DAY;
  const dayTo = Math.ceil(to / DAY) * DAY;
  await replaceRows(
    tx,
    'day',
    ids,
    dayFrom,
    dayTo,
    rollUp(await readSlice(tx, 'hour', ids, dayFrom, dayTo), DAY),
  );
}

/** Sums up what overlaps `[from, to)` again and leaves the record for it. */
export async function sumUpSlice(
  tx: Knex.Transaction,
  series: Pick<SeriesRow, 'id' | 'path_ref'>[],
  from: number,
  to: number,
  time: number,
): Promise<void> {
  const ids = series.map(row => row.id);
  const downtime = await downtimeOf(tx, series, from, to);
  await sumUpMinutes(tx, ids, from, to, downtime);
  await sumUpDays(tx, ids, from, to);
  const hourFrom = Math.floor(from / 60) * 60;
  await recordChange(tx, hourFrom, Math.ceil(to / 60) * 60, ids, time);
}

async function newestData(
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

async function replaceRows(
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

/** Rows of a few series, in order of series and time. */
export async function readSlice(
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

/** Valid and good of a few series, in order of series and time. */
export async function readCountSlice(
  db: Knex,
  level: RowLevel,
  ids: number[],
  from: number,
  to: number,
): Promise<SignalCount[]> {
  const rows: Omit<CountRow, 'data'>[] = await db(TABLES[level])
    .select('series_id', 'at', 'valid', 'good')
    .whereIn('series_id', ids)
    .andWhere('at', '>=', from)
    .andWhere('at', '<', to)
    .orderBy(['series_id', 'at']);
  return rows.map(row => ({
    seriesId: row.series_id,
    at: row.at,
    valid: Number(row.valid),
    good: Number(row.good),
  }));
}

/** Leaves the record that tells every replica what to drop. */
export async function recordChange(
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
