import { histogramOf } from '@rocket/plugin-critical-paths-common';
import type { TelemetryTarget } from '@rocket/plugin-critical-paths-node';
import type { MinuteTraffic } from '../../src/testing/FakeSource';
import type { SignalCell, SignalRow } from '../../src/store/SignalStore';

/** The threshold that the made-up paths promise, in milliseconds. */
export const THRESHOLD_MS = 500;
/** Loads that a day goes through, from the quietest hour to the busiest. */
const LOADS = 8;
/** Distinct minutes of each load. */
const NOISE = 31;
const DAY = 1440;

function cellOf(load: number, noise: number): SignalCell {
  const valid = 12 + 4 * load + noise;
  const durations = Array.from(
    { length: valid },
    (_, i) => 8 + ((i * 37 + noise * 11) % 400) * ((i % 19) / 6),
  );
  return {
    valid,
    good: valid - (noise % 9 === 0 ? 1 : 0),
    histogram: Object.entries(histogramOf(durations)).flatMap(
      ([index, count]) => [Number(index), count],
    ),
    thresholds: [
      {
        threshold: THRESHOLD_MS,
        within: durations.filter(d => d <= THRESHOLD_MS).length,
        of: valid,
      },
    ],
  };
}

/** The distinct minutes that the made-up traffic is drawn from. */
export const MINUTES: readonly SignalCell[] = Array.from(
  { length: LOADS * NOISE },
  (_, k) => cellOf(Math.floor(k / NOISE), k % NOISE),
);

/** By hour of the day (UTC): quiet at night, busiest at noon. */
const LOAD_OF_HOUR = Array.from({ length: 24 }, (_, hour) =>
  Math.round(((1 - Math.cos((hour / 24) * 2 * Math.PI)) / 2) * (LOADS - 1)),
);

/**
 * Which of {@link MINUTES} a series had in a minute: the same whenever it is
 * asked, with a load that follows the day.
 */
export function minuteOf(series: number, at: number): number {
  const load = LOAD_OF_HOUR[Math.floor((at % DAY) / 60)];
  return load * NOISE + ((series * 7 + at * 5) % NOISE);
}

/** The minutes of a series in `[from, to)`, as a source that was asked for them would have answered. */
export function minutesOf(
  series: number,
  from: number,
  to: number,
): Omit<SignalRow, 'seriesId'>[] {
  return Array.from({ length: to - from }, (_, i) => ({
    at: from + i,
    ...MINUTES[minuteOf(series, from + i)],
  }));
}

/** The same traffic as a source tells it from now on; all of its requests take one time. */
export function sourceTraffic(
  series: { selection: { appName: string } }[],
): (target: TelemetryTarget, at: number) => MinuteTraffic {
  const indexOf = new Map(
    series.map(({ selection }, index) => [selection.appName, index]),
  );
  return (target, at) => {
    const { valid, good } = MINUTES[minuteOf(indexOf.get(target.appName)!, at)];
    return { valid, good, durationMs: 50 };
  };
}
