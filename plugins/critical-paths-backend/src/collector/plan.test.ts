import type { Series } from '../store/SignalStore';
import { planBackfill } from './plan';

const DAY = 1440;
/** Noon of a day, in minutes since the epoch. */
const NOON = 20_140 * DAY + 720;

const series = (covered: [number, number][]) =>
  [{ id: 1, covered } as Series].map(one => ({ ...one }));
const settings = (backfillDays: number) => ({
  backfillMinutes: backfillDays * DAY,
  retentionMinutes: {
    minutes: 3 * DAY,
    hours: 100 * DAY,
    days: 400 * DAY,
    changes: 400 * DAY,
  },
});

describe('planBackfill', () => {
  it('asks for whole days where hours are no longer kept', () => {
    // A gap of two hours in a day whose hours are deleted: its sum needs all 24.
    const gap = NOON - 150 * DAY;
    const slices = [
      ...planBackfill(
        series([
          [NOON - 400 * DAY - 60, gap],
          [gap + 120, NOON],
        ]),
        NOON,
        settings(399),
      ),
    ];
    expect(slices).toEqual([
      {
        level: 'hour',
        from: gap - 720,
        to: gap + 720,
        seriesIds: [1],
      },
    ]);
  });

  it('asks for single hours where they are kept, and for minutes where those are', () => {
    const hours = NOON - 20 * DAY;
    const minutes = NOON - 2 * DAY;
    expect([
      ...planBackfill(
        series([
          [NOON - 60 * DAY, hours + 10],
          [hours + 20, minutes + 10],
          [minutes + 20, NOON],
        ]),
        NOON,
        settings(30),
      ),
    ]).toEqual([
      { level: 'minute', from: minutes + 10, to: minutes + 20, seriesIds: [1] },
      { level: 'hour', from: hours, to: hours + 60, seriesIds: [1] },
    ]);
  });
});
