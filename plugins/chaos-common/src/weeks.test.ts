import fc from 'fast-check';
import { isoWeekOf, lastWeeks, parseIsoWeek } from './weeks';

const at = (text: string) => Date.parse(text);
const DAY = 86_400_000;

describe('ISO weeks', () => {
  // ISO 8601: week 1 is the one with the year's first Thursday.
  it.each([
    ['2026-01-01T12:00:00Z', '2026-W01'],
    ['2027-01-01T12:00:00Z', '2026-W53'],
    ['2027-01-04T00:00:00Z', '2027-W01'],
    ['2024-12-30T00:00:00Z', '2025-W01'],
    ['2023-01-01T12:00:00Z', '2022-W52'],
  ])('knows the week of %s', (time, key) => {
    expect(isoWeekOf(at(time), 'UTC').key).toBe(key);
  });

  it('draws the border at midnight of the time zone', () => {
    const time = at('2026-11-22T23:30:00Z');
    expect(isoWeekOf(time, 'UTC').key).toBe('2026-W47');
    // Half past midnight on Monday in Berlin.
    expect(isoWeekOf(time, 'Europe/Berlin').key).toBe('2026-W48');
    expect(isoWeekOf(time, 'America/New_York').key).toBe('2026-W47');
  });

  it('has weeks of 167 and 169 hours where the clock changes', () => {
    const hours = (key: string) => {
      const { start, end } = parseIsoWeek(key, 'Europe/Berlin');
      return (end - start) / 3_600_000;
    };
    expect(hours('2026-W13')).toBe(167);
    expect(hours('2026-W43')).toBe(169);
    expect(hours('2026-W47')).toBe(168);
  });

  it.each(['2026-W54', '2025-W53', '2026-W00', '2026-7', 'W47', ''])(
    'refuses %p',
    key => {
      expect(() => parseIsoWeek(key, 'UTC')).toThrow('is no ISO week');
    },
  );

  it('refuses what is no time zone', () => {
    expect(() => isoWeekOf(0, 'Mars/Olympus')).toThrow(
      "'Mars/Olympus' is no IANA time zone",
    );
  });

  it('covers time without gap or overlap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: at('2000-01-01'), max: at('2100-01-01') }),
        fc.constantFrom(
          'UTC',
          'Europe/Berlin',
          'America/Sao_Paulo',
          'Asia/Kolkata',
          'Pacific/Auckland',
          'Pacific/Apia',
        ),
        (time, zone) => {
          const week = isoWeekOf(time, zone);
          expect(week.start).toBeLessThanOrEqual(time);
          expect(week.end).toBeGreaterThan(time);
          expect(isoWeekOf(week.end, zone).start).toBe(week.end);
          expect(isoWeekOf(week.end - 1, zone)).toEqual(week);
          expect(parseIsoWeek(week.key, zone)).toEqual(week);
          expect(Math.abs(week.end - week.start - 7 * DAY)).toBeLessThanOrEqual(
            // Samoa once left out a whole day.
            DAY,
          );
        },
      ),
    );
  });

  it('counts weeks back', () => {
    const weeks = lastWeeks(at('2026-11-21T12:00:00Z'), 'Europe/Berlin', 52);
    expect(weeks).toHaveLength(52);
    expect(weeks[51].key).toBe('2026-W47');
    expect(weeks[0].key).toBe('2025-W48');
    weeks.slice(1).forEach((week, n) => expect(week.start).toBe(weeks[n].end));
  });
});
