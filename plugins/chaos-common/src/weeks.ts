import { DateTime } from 'luxon';
import { InputError } from '@backstage/errors';

/** An ISO 8601 week in a time zone: it begins on Monday at midnight there. */
export interface IsoWeek {
  /** Week year and week, for example `2026-W47`. */
  key: string;
  /** Inclusive, milliseconds since the epoch. */
  start: number;
  /** Exclusive; seven calendar days later, which is not always 168 hours. */
  end: number;
}

const KEY = /^(\d{4})-W(\d{2})$/;

function weekOf(monday: DateTime): IsoWeek {
  return {
    key: `${monday.weekYear}-W${String(monday.weekNumber).padStart(2, '0')}`,
    start: monday.toMillis(),
    end: monday.plus({ weeks: 1 }).toMillis(),
  };
}

/** @throws InputError for what is no IANA time zone */
export function assertTimeZone(zone: string): string {
  if (!DateTime.local({ zone }).isValid) {
    throw new InputError(
      `timeZone: '${zone}' is no IANA time zone; Europe/Berlin is one`,
    );
  }
  return zone;
}

/** The week that a moment belongs to, as people in the time zone see it. */
export function isoWeekOf(time: number | Date, zone: string): IsoWeek {
  return weekOf(
    DateTime.fromMillis(Number(time), {
      zone: assertTimeZone(zone),
    }).startOf('week'),
  );
}

/** @throws InputError for a key that is no week of its year */
export function parseIsoWeek(key: string, zone: string): IsoWeek {
  const match = KEY.exec(key);
  const monday = match
    ? DateTime.fromObject(
        { weekYear: Number(match[1]), weekNumber: Number(match[2]) },
        { zone: assertTimeZone(zone) },
      )
    : undefined;
  const week = monday?.isValid ? weekOf(monday.startOf('week')) : undefined;
  if (week?.key !== key) {
    throw new InputError(`week: '${key}' is no ISO week; write it as 2026-W07`);
  }
  return week;
}

/** The `count` weeks that end with the one of `time`, the oldest first. */
export function lastWeeks(
  time: number | Date,
  zone: string,
  count: number,
): IsoWeek[] {
  const monday = DateTime.fromMillis(Number(time), {
    zone: assertTimeZone(zone),
  }).startOf('week');
  return Array.from({ length: count }, (_, at) =>
    weekOf(monday.minus({ weeks: count - 1 - at })),
  );
}
