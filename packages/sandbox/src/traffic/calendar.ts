import { WEEKDAYS, type ScenarioWhen } from './scenario';

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** A calendar day as the number of days since 1970-01-01. */
export type DayNumber = number;

/** Wall-clock arithmetic in one time zone, with cached offsets. */
export class ZonedCalendar {
  readonly #format: Intl.DateTimeFormat;
  readonly #offsets = new Map<number, number>();

  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-GB', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
  }

  /** Local wall-clock time as if it were UTC, in milliseconds. */
  toLocal(utcMs: number): number {
    return utcMs + this.#offset(utcMs);
  }

  dayOf(utcMs: number): DayNumber {
    return Math.floor(this.toLocal(utcMs) / DAY);
  }

  /** Epoch milliseconds of a wall-clock time. A time that the clock skips is moved on by the gap. */
  toUtc(day: DayNumber, minuteOfDay: number): number {
    const local = day * DAY + minuteOfDay * 60_000;
    const first = local - this.#offset(local);
    return local - this.#offset(first);
  }

  /** Start times of all occurrences in [fromMs, toMs), in order. */
  occurrences(
    when: ScenarioWhen,
    anchorDay: DayNumber,
    fromMs: number,
    toMs: number,
  ): number[] {
    const [hours, minutes] = when.at.split(':').map(Number);
    const minuteOfDay = hours * 60 + minutes;
    // 1970-01-05 (day 4) was a Monday.
    const [base, period] =
      'weekday' in when
        ? [4 + WEEKDAYS.indexOf(when.weekday), 7]
        : [anchorDay - when.daysAgo, when.repeatEveryDays];
    const first = this.dayOf(fromMs) - 1;
    const last = this.dayOf(toMs) + 1;
    const result: number[] = [];
    for (
      let day = base + Math.ceil((first - base) / period) * period;
      day <= last;
      day += period
    ) {
      const at = this.toUtc(day, minuteOfDay);
      if (at >= fromMs && at < toMs) {
        result.push(at);
      }
    }
    return result;
  }

  // Offsets change on quarters of an hour at the finest.
  #offset(utcMs: number): number {
    const slot = Math.floor(utcMs / (HOUR / 4));
    let offset = this.#offsets.get(slot);
    if (offset === undefined) {
      const at = slot * (HOUR / 4);
      const parts: Record<string, number> = {};
      for (const { type, value } of this.#format.formatToParts(at)) {
        parts[type] = Number(value);
      }
      offset =
        Date.UTC(
          parts.year,
          parts.month - 1,
          parts.day,
          parts.hour,
          parts.minute,
        ) - at;
      if (this.#offsets.size > 20_000) {
        this.#offsets.clear();
      }
      this.#offsets.set(slot, offset);
    }
    return offset;
  }
}

/** ISO 8601 week of a day, for version numbers such as 2026.47. */
export function isoWeek(day: DayNumber): { year: number; week: number } {
  const weekday = (((day - 4) % 7) + 7) % 7;
  const thursday = new Date((day - weekday + 3) * DAY);
  const year = thursday.getUTCFullYear();
  const firstDay = Date.UTC(year, 0, 1) / DAY;
  return {
    year,
    week: Math.floor((thursday.getTime() / DAY - firstDay) / 7) + 1,
  };
}

/** Saturday or Sunday. */
export function isWeekend(day: DayNumber): boolean {
  return (((day - 4) % 7) + 7) % 7 >= 5;
}
