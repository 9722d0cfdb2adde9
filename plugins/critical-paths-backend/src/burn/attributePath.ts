import {
  AttributionModel,
  AttributionTotals,
  type MemberEvents,
  type ResolvedPath,
} from '@rocket/plugin-critical-paths-common';
import {
  coveredMinutes,
  mergeRanges,
  missingRanges,
  subtractRanges,
  type MinuteRange,
} from '../store/ranges';
import type { Series, SignalStore } from '../store/SignalStore';
import { feedsByStep, feedsOf, type StepFeed } from '../service/feeds';

const HOUR = 60;

/** The applications of a path as attribution sees them, with their series. */
export interface AttributedPath {
  model: AttributionModel;
  /** By member; undefined where nothing was ever collected. */
  series: (Series | undefined)[];
  /** Steps whose bad events burn the path's budget. */
  steps: number[];
}

/** Who may be at fault on a path. */
export function attributedPath(
  resolved: ResolvedPath,
  seriesByKey: ReadonlyMap<string, Series>,
): AttributedPath {
  const all = feedsOf(resolved, seriesByKey);
  const feeds: { feed: StepFeed; step: number }[] = [];
  const taken = new Set<number>();
  feedsByStep(resolved, all).forEach((list, step) => {
    for (const feed of list) {
      // The same requests at a second step are the same faults.
      if (!feed.series || !taken.has(feed.series.id)) {
        feeds.push({ feed, step });
        if (feed.series) {
          taken.add(feed.series.id);
        }
      }
    }
  });
  const model = new AttributionModel(
    feeds.map(({ feed, step }) => ({
      key: `${step}/${feed.member.entityRef}`,
      entityRef: feed.member.entityRef,
      step,
      dependsOn: feed.member.dependsOn,
    })),
  );
  return {
    model,
    series: feeds.map(({ feed }) => feed.series),
    steps: resolved.path.aggregation === 'measured' ? [0] : model.steps,
  };
}

/** One stretch that was judged. */
export interface AttributedHour {
  /** Start of the hour, or of the part of it that was asked for, minutes since the epoch. */
  at: number;
  totals: AttributionTotals;
  resolution: number;
}

/**
 * Attributes the bad events of `[from, to)`, hour by hour: by minutes where all
 * of the hour's requests are stored as minutes, else by the hour as a whole.
 * Planned downtime is left out. Hours without a bad event are left out.
 *
 * @param finest - `hour` where it is known that no minutes are kept
 */
export async function attributePath(
  store: Pick<SignalStore, 'readCounts'>,
  path: AttributedPath,
  downtime: readonly MinuteRange[],
  from: number,
  to: number,
  finest: 'minute' | 'hour' = 'minute',
): Promise<AttributedHour[]> {
  const ids = path.series.flatMap(s => s?.id ?? []);
  const hourFrom = Math.floor(from / HOUR) * HOUR;
  const hourTo = Math.ceil(to / HOUR) * HOUR;
  const [minutes, hours] = await Promise.all([
    finest === 'minute'
      ? store.readCounts('minute', ids, hourFrom, hourTo)
      : [],
    store.readCounts('hour', ids, hourFrom, hourTo),
  ]);
  const isDown = (at: number) =>
    downtime.some(([start, end]) => at >= start && at < end);
  /** Events by hour, then minute, then series. */
  const byHour = new Map<number, Map<number, Map<number, MemberEvents>>>();
  const sums = new Map<string, number>();
  for (const { seriesId, at, valid, good } of minutes) {
    if (!isDown(at)) {
      const hour = Math.floor(at / HOUR) * HOUR;
      const name = `${seriesId}/${hour}`;
      sums.set(name, (sums.get(name) ?? 0) + valid);
      const ofHour = byHour.get(hour) ?? new Map();
      byHour.set(hour, ofHour);
      const ofMinute = ofHour.get(at) ?? new Map();
      ofHour.set(at, ofMinute);
      ofMinute.set(seriesId, { valid, good });
    }
  }
  const coarse = new Map<number, Map<number, MemberEvents>>();
  const incomplete = new Set<number>();
  for (const { seriesId, at, valid, good } of hours) {
    const ofHour = coarse.get(at) ?? new Map();
    coarse.set(at, ofHour);
    ofHour.set(seriesId, { valid, good });
    if ((sums.get(`${seriesId}/${at}`) ?? 0) < valid) {
      incomplete.add(at);
    }
  }
  const observed = path.series.map(s =>
    subtractRanges(
      mergeRanges(
        (s?.covered ?? []).filter(r => r[1] > hourFrom && r[0] < hourTo),
      ),
      downtime,
    ),
  );
  const result: AttributedHour[] = [];
  for (let hour = hourFrom; hour < hourTo; hour += HOUR) {
    const start = Math.max(hour, from);
    const end = Math.min(hour + HOUR, to);
    const gaps = observed.map(
      ranges => missingRanges(ranges, start, end) as MinuteRange[],
    );
    const totals = new AttributionTotals();
    const add = (
      events: ReadonlyMap<number, MemberEvents>,
      seen: (member: number) => boolean,
    ) => {
      path.model.add(
        path.series.map((s, member) => {
          if (!s || !seen(member)) {
            return undefined;
          }
          return events.get(s.id) ?? { valid: 0, good: 0 };
        }),
        totals,
        path.steps,
      );
    };
    const byMinute = !incomplete.has(hour);
    if (byMinute) {
      for (const [at, events] of byHour.get(hour) ?? []) {
        if (at >= start && at < end) {
          add(
            events,
            member =>
              !gaps[member].some(([first, last]) => at >= first && at < last),
          );
        }
      }
    } else if (start === hour) {
      add(
        coarse.get(hour) ?? new Map(),
        member => coveredMinutes(observed[member], start, end) > 0,
      );
    }
    if (totals.faults.size > 0) {
      result.push({ at: start, totals, resolution: byMinute ? 1 : HOUR });
    }
  }
  return result;
}
