import type { BoardWindow } from '@rocket/plugin-critical-paths-common';
import type { RowLevel } from '../store/SignalStore';

/** How a window is cut into intervals, in minutes. */
interface WindowSpec {
  minutes: number;
  level: RowLevel;
  /** Interval of the board's sparkline: 36 to 60 points. */
  sparkline: number;
  /** Interval of the charts on the path's page. */
  chart: number;
}

const SPECS: Record<BoardWindow, WindowSpec> = {
  '1h': { minutes: 60, level: 'minute', sparkline: 1, chart: 1 },
  '6h': { minutes: 360, level: 'minute', sparkline: 10, chart: 5 },
  '24h': { minutes: 1440, level: 'minute', sparkline: 30, chart: 15 },
  '7d': { minutes: 7 * 1440, level: 'hour', sparkline: 240, chart: 60 },
  '28d': { minutes: 28 * 1440, level: 'hour', sparkline: 720, chart: 360 },
  '30d': { minutes: 30 * 1440, level: 'hour', sparkline: 720, chart: 360 },
};

/** A stretch of time cut into intervals, all in minutes since the epoch. */
export interface Grid {
  /** Names the cut; grids of the same name share their whole intervals. */
  name: string;
  level: RowLevel;
  from: number;
  to: number;
  /** Length of a whole interval. The first and the last one may be cut. */
  step: number;
  /** Starts of the intervals; each ends where the next one starts, the last at `to`. */
  starts: number[];
}

function grid(
  name: string,
  level: RowLevel,
  from: number,
  to: number,
  step: number,
): Grid {
  const starts = [from];
  for (
    let start = (Math.floor(from / step) + 1) * step;
    start < to;
    start += step
  ) {
    starts.push(start);
  }
  return { name, level, from, to, step, starts };
}

/**
 * Cuts a window that ends at `until`. Windows of a week and more start at a
 * full hour, since they are summed up from hours; they are up to 59 minutes
 * longer than their name says. `from` and `to` of every answer are exact.
 */
export function windowGrid(
  window: BoardWindow,
  until: number,
  resolution: 'sparkline' | 'chart',
): Grid {
  const spec = SPECS[window];
  const start = until - spec.minutes;
  return grid(
    `${window}/${resolution}`,
    spec.level,
    spec.level === 'hour' ? Math.floor(start / 60) * 60 : start,
    until,
    spec[resolution],
  );
}

/** Cuts the rolling window of an objective that ends at `until`; it starts at a full hour. */
export function objectiveGrid(windowDays: number, until: number): Grid {
  return grid(
    `objective/${windowDays}d`,
    'hour',
    Math.floor((until - windowDays * 1440) / 60) * 60,
    until,
    720,
  );
}
