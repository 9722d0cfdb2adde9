import type { BoardWindow } from '@rocket/plugin-critical-paths-common';
import type { RowLevel } from '../store/SignalStore';

/** How a window is cut into intervals, in minutes. */
interface WindowSpec {
  minutes: number;
  level: 'minute' | 'hour';
  /** Interval of the board's sparkline: 30 to 60 points. */
  sparkline: number;
  /** Interval of the path's own charts on its page. */
  chart: number;
  /** Interval of the charts of its applications. */
  application: number;
}

const QUARTER = 15;
const HOUR = 60;
const DAY = 1440;

const SPECS: Record<BoardWindow, WindowSpec> = {
  '1h': {
    minutes: 60,
    level: 'minute',
    sparkline: 1,
    chart: 1,
    application: 1,
  },
  '6h': {
    minutes: 360,
    level: 'minute',
    sparkline: 10,
    chart: 5,
    application: 15,
  },
  '24h': {
    minutes: DAY,
    level: 'minute',
    sparkline: 30,
    chart: 15,
    application: 30,
  },
  '7d': {
    minutes: 7 * DAY,
    level: 'hour',
    sparkline: 240,
    chart: 60,
    application: 240,
  },
  '28d': {
    minutes: 28 * DAY,
    level: 'hour',
    sparkline: 720,
    chart: 360,
    application: DAY,
  },
  '30d': {
    minutes: 30 * DAY,
    level: 'hour',
    sparkline: 720,
    chart: 360,
    application: DAY,
  },
};

/** Length of a window in minutes. */
export function windowMinutes(window: BoardWindow): number {
  return SPECS[window].minutes;
}

/** A stretch of time cut into intervals, all in minutes since the epoch. */
export interface Grid {
  /** Names the cut; grids of the same name share their whole intervals. */
  name: string;
  /** The finest rows that it is made of; longer ones are taken where they fit. */
  level: 'minute' | 'hour';
  from: number;
  to: number;
  /** Length of a whole interval. The first and the last one may be cut. */
  step: number;
  /** Starts of the intervals; each ends where the next one starts, the last at `to`. */
  starts: number[];
  /**
   * Set when there are rows after `to` that are not part of it. Without it the
   * last interval is read to its full length: there are no rows beyond now.
   */
  closed?: boolean;
  /** Minutes before now that it reaches back to. */
  reach: number;
}

function grid(
  name: string,
  level: Grid['level'],
  from: number,
  to: number,
  step: number,
  closed?: { now: number },
): Grid {
  const starts = to > from ? [from] : [];
  for (
    let start = (Math.floor(from / step) + 1) * step;
    start < to;
    start += step
  ) {
    starts.push(start);
  }
  const reach = (closed?.now ?? to) - from;
  return { name, level, from, to, step, starts, reach, closed: !!closed };
}

/** End of an interval of a grid, exclusive. */
export function intervalEnd(of: Grid, index: number): number {
  return (
    of.starts[index + 1] ??
    (of.closed ? of.to : (Math.floor(of.starts[index] / of.step) + 1) * of.step)
  );
}

/** The longest rows that an interval is an exact sum of. */
export function intervalLevel(of: Grid, index: number): RowLevel {
  const start = of.starts[index];
  const end = intervalEnd(of, index);
  const fits = (minutes: number) =>
    start % minutes === 0 && end % minutes === 0;
  if (of.level === 'minute') {
    return fits(QUARTER) ? 'quarter' : 'minute';
  }
  return fits(DAY) ? 'day' : 'hour';
}

/**
 * Cuts a window that ends at `until`. Windows of a week and more start at a
 * full hour, since they are summed up from hours; they are up to 59 minutes
 * longer than their name says. `from` and `to` of every answer are exact.
 */
export function windowGrid(
  window: BoardWindow,
  until: number,
  resolution: 'sparkline' | 'chart' | 'application',
): Grid {
  const spec = SPECS[window];
  const start = until - spec.minutes;
  return grid(
    `${window}/${resolution}`,
    spec.level,
    spec.level === 'hour' ? Math.floor(start / HOUR) * HOUR : start,
    until,
    spec[resolution],
  );
}

/**
 * The window of the same length before {@link windowGrid}. For windows of a day
 * and more it starts and ends at a full hour.
 */
export function previousGrid(window: BoardWindow, until: number): Grid {
  const { minutes } = SPECS[window];
  const hours = minutes >= DAY;
  const end = until - minutes;
  const to = hours ? Math.floor(end / HOUR) * HOUR : end;
  return grid(
    `${window}/previous`,
    hours ? 'hour' : 'minute',
    to - minutes,
    to,
    minutes > DAY ? DAY : QUARTER * (hours ? 4 : 1),
    { now: until },
  );
}

/**
 * Cuts the rolling window of an objective that ends at `until`; it starts at a
 * full hour. A budget reset within it is its start instead, rounded up to a
 * full hour; {@link resetGrid} has the minutes up to there.
 */
export function objectiveGrid(
  windowDays: number,
  until: number,
  resetAt?: number,
): Grid {
  const start = Math.floor((until - windowDays * DAY) / HOUR) * HOUR;
  if (resetAt !== undefined && resetAt > start) {
    const from = Math.min(Math.ceil(resetAt / HOUR) * HOUR, until);
    return grid(`reset/${resetAt}`, 'hour', from, until, DAY);
  }
  return grid(
    `objective/${windowDays}d`,
    'hour',
    start,
    until,
    windowDays === 1 ? HOUR : DAY,
  );
}

/** The minutes from a budget reset to the next full hour. */
export function resetGrid(resetAt: number, until: number): Grid {
  const to = Math.min(Math.ceil(resetAt / HOUR) * HOUR, until);
  return grid(`reset/${resetAt}/start`, 'minute', resetAt, to, QUARTER, {
    now: until,
  });
}

/** The grids that burn rates are summed up on. The last three days start at a full hour. */
export function burnGrids(until: number): Record<'1h' | '6h' | '3d', Grid> {
  return {
    '1h': grid('burn/1h', 'minute', until - 60, until, 1),
    '6h': grid('burn/6h', 'minute', until - 360, until, QUARTER),
    '3d': grid(
      'burn/3d',
      'hour',
      Math.floor((until - 3 * DAY) / HOUR) * HOUR,
      until,
      DAY,
    ),
  };
}

/** Whole UTC days from `from` on, for a history. */
export function historyGrid(from: number, until: number): Grid {
  return grid('history', 'hour', Math.floor(from / DAY) * DAY, until, DAY);
}
