const DAY_MS = 86_400_000;

/** Monday 00:00 UTC of the ISO week of a time, milliseconds since 1970. */
export function weekStart(time: number): number {
  const day = Math.floor(time / DAY_MS);
  // 1 January 1970 was a Thursday, the fourth day of its week.
  return (day - ((((day + 3) % 7) + 7) % 7)) * DAY_MS;
}

/** ISO 8601 week of a time (UTC), for example `2026-W47`. */
export function isoWeek(time: number): string {
  // The year of a week is that of its Thursday.
  const thursday = weekStart(time) + 3 * DAY_MS;
  const year = new Date(thursday).getUTCFullYear();
  const week = Math.floor((thursday - Date.UTC(year, 0, 1)) / DAY_MS / 7) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}

/** The ISO weeks that `[from, to)` touches, the oldest first. Times in milliseconds since 1970. */
export function isoWeeks(from: number, to: number): string[] {
  const weeks: string[] = [];
  for (let start = weekStart(from); start < to; start += 7 * DAY_MS) {
    weeks.push(isoWeek(start));
  }
  return weeks;
}
