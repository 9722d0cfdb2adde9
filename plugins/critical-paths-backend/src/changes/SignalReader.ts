import { InputError, NotFoundError } from '@backstage/errors';
import type {
  MinuteSignals,
  SignalsRequest,
  SignalsResponse,
} from '@rocket/plugin-critical-paths-node';
import { distinctFeeds, feedsOf } from '../service/feeds';
import type { PathDirectory } from '../service/PathDirectory';
import { CellSum } from '../store/cells';
import { clipRanges } from '../store/ranges';
import { seriesKey } from '../store/seriesKey';
import type { SignalStore } from '../store/SignalStore';

const MAX_MINUTES = 1440;

const isoOf = (minute: number) => new Date(minute * 60_000).toISOString();

/** Reads collected minutes for other plugins, such as chaos experiments; stored rows only. */
export class SignalReader {
  readonly #store: Pick<SignalStore, 'listSeries' | 'readRows'>;
  readonly #directory: Pick<PathDirectory, 'model'>;

  constructor(options: {
    store: Pick<SignalStore, 'listSeries' | 'readRows'>;
    directory: Pick<PathDirectory, 'model'>;
  }) {
    this.#store = options.store;
    this.#directory = options.directory;
  }

  /** @throws InputError, NotFoundError */
  async read(request: SignalsRequest): Promise<SignalsResponse> {
    const from = Math.floor(Date.parse(request.from) / 60_000);
    const to = Math.ceil(Date.parse(request.to) / 60_000);
    if (!(from < to && to - from <= MAX_MINUTES)) {
      throw new InputError(
        `'to' must be after 'from' and at most 24 hours later, was ${request.to} after ${request.from}`,
      );
    }
    const { paths } = await this.#directory.model();
    const resolved = paths.get(request.pathRef);
    if (!resolved) {
      throw new NotFoundError(
        `No critical path ${request.pathRef} in the catalog`,
      );
    }
    const known = new Map(
      (await this.#store.listSeries()).map(one => [seriesKey(one), one]),
    );
    const feeds = feedsOf(resolved, known).filter(({ entry, member }) =>
      request.componentRef === undefined
        ? entry
        : member.entityRef === request.componentRef,
    );
    if (feeds.length === 0) {
      throw new NotFoundError(
        `${request.componentRef} is no application of ${request.pathRef}`,
      );
    }
    const wanted = distinctFeeds(feeds);
    const series = wanted.flatMap(feed => feed.series ?? []);
    const complete = series.length === wanted.length;
    const sums = new Map<number, CellSum>();
    for (const row of await this.#store.readRows(
      'minute',
      series.map(({ id }) => id),
      from,
      to,
    )) {
      const sum = sums.get(row.at) ?? new CellSum();
      sums.set(row.at, sum);
      sum.add(row);
    }
    // Minutes that every feed was answered for.
    const observed = new Map<number, number>();
    for (const { covered } of series) {
      for (const [start, end] of clipRanges(covered, from, to)) {
        for (let at = start; at < end; at++) {
          observed.set(at, (observed.get(at) ?? 0) + 1);
        }
      }
    }
    const minutes = Array.from({ length: to - from }, (_, i): MinuteSignals => {
      const counts = (sums.get(from + i) ?? new CellSum()).toCounts();
      return {
        start: isoOf(from + i),
        observed: complete && observed.get(from + i) === series.length,
        valid: counts.valid,
        good: counts.good,
        histogram: counts.histogram,
        withinThreshold: counts.withinThreshold,
      };
    });
    const watermarks = series.map(({ watermarkAt }) => watermarkAt);
    return {
      minutes,
      watermark:
        complete && watermarks.every(at => at !== undefined)
          ? isoOf(Math.min(...(watermarks as number[])))
          : null,
    };
  }
}
