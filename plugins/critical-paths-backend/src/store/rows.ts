import { ServiceUnavailableError } from '@backstage/errors';
import type { Knex } from 'knex';
import { CellSum } from './cells';
import type { Series, SignalRow } from './SignalStore';

/** A row of `cp_series`. */
export interface SeriesRow {
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
  latency_error: number | null;
}

function optionalNumber(value: number | string | null): number | undefined {
  return value === null ? undefined : Number(value);
}

export function toSeries(row: SeriesRow): Series {
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
    latencyError: row.latency_error ?? undefined,
  };
}

export function* slices<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let i = 0; i < list.length; i += size) {
    yield list.slice(i, i + size);
  }
}

/** True for errors that say that the database is away rather than that a statement is wrong. */
export function isConnectionError(error: unknown): boolean {
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

/** Turns the loss of the database into an error that says so; callers try again later. */
export async function guarded<T>(work: () => PromiseLike<T>): Promise<T> {
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

/** Lets other work of the process in: SQLite answers without ever leaving the event loop's turn. */
export function breathe(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

export function isSqlite(db: Knex): boolean {
  return String(db.client.config.client).includes('sqlite');
}

/** Sums rows, ordered by series and time, into rows of `step` minutes. */
export function rollUp(rows: SignalRow[], step: number): SignalRow[] {
  const sums: SignalRow[] = [];
  let sum: CellSum | undefined;
  let current: { seriesId: number; at: number } | undefined;
  const close = () => {
    if (sum && current) {
      sums.push({ ...current, ...sum.toCell() });
    }
  };
  for (const row of rows) {
    const at = Math.floor(row.at / step) * step;
    if (!current || current.seriesId !== row.seriesId || current.at !== at) {
      close();
      sum = new CellSum();
      current = { seriesId: row.seriesId, at };
    }
    sum!.add(row);
  }
  close();
  return sums;
}
