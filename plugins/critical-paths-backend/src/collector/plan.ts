import type { CriticalPathsSettings } from '../settings';
import { missingRanges } from '../store/ranges';
import type { Series, WindowLevel } from '../store/SignalStore';

/** Minutes that one question may span, so that a source can answer in at most 366 intervals. */
export const MAX_MINUTES = 360;
/** Hours that one back-fill question may span: 14 days. */
export const MAX_HOURS = 336;

/** One question: everything about these series in `[from, to)`, in minutes since the epoch. */
export interface Slice {
  level: WindowLevel;
  from: number;
  to: number;
  seriesIds: number[];
}

/**
 * The newest minutes. Series that are behind by about as much share a question
 * (up to date, less than an hour, more), so one failing account costs a few
 * questions, not one per series. Nothing is asked while no new minute is over.
 */
export function planLive(
  series: Series[],
  until: number,
  correctionMinutes: number,
): Slice[] {
  const spans = [
    Math.min(correctionMinutes + 5, MAX_MINUTES),
    Math.min(correctionMinutes + 60, MAX_MINUTES),
    MAX_MINUTES,
  ];
  const groups: Slice[] = spans.map(() => ({
    level: 'minute',
    from: until,
    to: until,
    seriesIds: [],
  }));
  for (const { id, watermarkAt } of series) {
    if (watermarkAt === undefined || watermarkAt < until) {
      const from = Math.max(
        (watermarkAt ?? -Infinity) - correctionMinutes,
        until - MAX_MINUTES,
      );
      const group = groups[spans.findIndex(span => until - from <= span)];
      group.seriesIds.push(id);
      group.from = Math.min(group.from, from);
    }
  }
  return groups.filter(group => group.seriesIds.length > 0);
}

function floorTo(value: number, step: number): number {
  return Math.floor(value / step) * step;
}

/** The UTC day that a minute is in, by its first minute. */
export function dayStart(minute: number): number {
  return floorTo(minute, 1440);
}

/**
 * Questions that fill what is missing, newest first: minutes as far back as
 * minute rows are kept, then hours to the end of the back-fill. All series that
 * miss something in the same stretch of the clock share a question. Where hours
 * are no longer kept, only whole days are asked for: a day is summed up from
 * the hours that are written with it.
 */
export function* planBackfill(
  series: Series[],
  until: number,
  settings: Pick<CriticalPathsSettings, 'backfillMinutes' | 'retentionMinutes'>,
): Generator<Slice> {
  const oldest = floorTo(until - settings.backfillMinutes, 60);
  // One hour above the retention, so that no hour is summed up from minutes of
  // which some are deleted already.
  const minutesFrom = Math.max(
    oldest,
    floorTo(until - settings.retentionMinutes.minutes, 60) + 60,
  );
  const hoursFrom = dayStart(until - settings.retentionMinutes.hours) + 1440;
  const stretch = (level: WindowLevel, from: number, to: number): Slice => {
    const slice: Slice = { level, from: to, to: from, seriesIds: [] };
    for (const one of series) {
      const missing = missingRanges(one.covered, from, to);
      if (missing.length > 0) {
        slice.seriesIds.push(one.id);
        slice.from = Math.min(slice.from, missing[0][0]);
        slice.to = Math.max(slice.to, missing[missing.length - 1][1]);
      }
    }
    if (level === 'hour') {
      const step = slice.from < hoursFrom ? 1440 : 60;
      slice.from = floorTo(slice.from, step);
      slice.to = floorTo(slice.to + step - 1, step);
    }
    return slice;
  };
  for (
    let start = floorTo(until - 1, MAX_MINUTES);
    start + MAX_MINUTES > minutesFrom;
    start -= MAX_MINUTES
  ) {
    const slice = stretch(
      'minute',
      Math.max(start, minutesFrom),
      // The newest minutes are the business of planLive.
      Math.min(start + MAX_MINUTES, until),
    );
    if (slice.seriesIds.length > 0) {
      yield slice;
    }
  }
  const hours = MAX_HOURS * 60;
  for (
    let start = floorTo(minutesFrom - 1, hours);
    start + hours > oldest;
    start -= hours
  ) {
    const slice = stretch(
      'hour',
      Math.max(start, oldest),
      Math.min(start + hours, minutesFrom),
    );
    if (slice.seriesIds.length > 0) {
      yield slice;
    }
  }
}
