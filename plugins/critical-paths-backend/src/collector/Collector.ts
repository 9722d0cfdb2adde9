import type { LoggerService } from '@backstage/backend-plugin-api';
import type {
  TelemetryResponse,
  TelemetrySource,
} from '@rocket/plugin-critical-paths-node';
import type { PathDirectory } from '../service/PathDirectory';
import type { CriticalPathsSettings } from '../settings';
import { addRange } from '../store/ranges';
import type { SignalStore, StoredQuery } from '../store/SignalStore';
import { askSource } from './askSource';
import { planBackfill, planLive, type Slice } from './plan';
import { SourceLinks } from './SourceLinks';
import { forgetFuture, registerWanted, type Wanted } from './wanted';

const MAX_QUERIES_PER_PATH = 8;
const BACKOFF_START_SECONDS = 60;
const BACKOFF_MAX_SECONDS = 1800;

/** What one cycle did. */
export interface CycleReport {
  paths: number;
  targets: number;
  /** HTTP requests that the sources made. */
  requests: number;
  /** Series that could not be answered in full, by message. */
  failures: Map<string, number>;
  /** True when there is nothing left to back-fill. */
  complete: boolean;
}

/** Outcome of one question: what was not stored, and the queries behind the rest. */
interface Outcome {
  failed: Set<number>;
  queries: TelemetryResponse['queries'];
}

/**
 * Reads what the telemetry sources know and stores it. A cycle first reads the
 * newest minutes of everything (with the last few again, for late data), then
 * fills gaps, newest first, until its budget is used up. Every answer is stored
 * in one transaction together with the note that it was answered, so a cycle
 * can be killed at any point and the next one goes on from there.
 */
export class Collector {
  readonly #store: SignalStore;
  readonly #directory: Pick<PathDirectory, 'model'>;
  readonly #sources: ReadonlyMap<string, TelemetrySource>;
  readonly #settings: CriticalPathsSettings;
  readonly #logger: LoggerService;
  readonly #now: () => number;
  /** Series whose gaps a source could not fill, with the time (s) to try again. */
  readonly #backoff = new Map<number, { until: number; wait: number }>();
  readonly #links: SourceLinks;
  #lastFailures = '';

  constructor(options: {
    store: SignalStore;
    directory: Pick<PathDirectory, 'model'>;
    sources: ReadonlyMap<string, TelemetrySource>;
    settings: CriticalPathsSettings;
    logger: LoggerService;
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#directory = options.directory;
    this.#sources = options.sources;
    this.#settings = options.settings;
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
    this.#links = new SourceLinks(options);
  }

  /** Runs one cycle. Rejects only when the catalog or the database is away, or on abort. */
  async runCycle(signal: AbortSignal): Promise<CycleReport> {
    const started = this.#now();
    // The last minute that is over and has had time to arrive.
    const until = Math.floor(
      (started - this.#settings.delaySeconds * 1000) / 60_000,
    );
    const { paths } = await this.#directory.model({ fresh: true });
    const wanted = await registerWanted(this.#store, paths, started);
    await forgetFuture(wanted, until, {
      store: this.#store,
      logger: this.#logger,
    });

    const report: CycleReport = {
      paths: paths.size,
      targets: wanted.length,
      requests: 0,
      failures: new Map(),
      complete: true,
    };
    const bySource = new Map<string, Wanted[]>();
    for (const item of wanted) {
      const id = item.series.selection.source;
      bySource.set(id, [...(bySource.get(id) ?? []), item]);
    }
    // A slow or failing source must not hold up the others.
    const outcomes = await Promise.allSettled(
      [...bySource].map(([id, items]) =>
        this.#collectSource(id, items, { until, started, signal, report }),
      ),
    );
    const broken = outcomes.find(o => o.status === 'rejected');
    if (broken) {
      throw broken.reason;
    }
    signal.throwIfAborted();
    this.#logFailures(report);
    return report;
  }

  async #collectSource(
    id: string,
    items: Wanted[],
    cycle: {
      until: number;
      started: number;
      signal: AbortSignal;
      report: CycleReport;
    },
  ): Promise<void> {
    const { until, signal, report } = cycle;
    const source = this.#sources.get(id);
    if (!source) {
      const message = `no telemetry source "${id}" is installed; there is ${
        [...this.#sources.keys()].join(', ') || 'none'
      }`;
      await this.#fail(
        [{ seriesIds: items.map(i => i.series.id), message }],
        report,
      );
      return;
    }
    const byId = new Map(items.map(item => [item.series.id, item]));
    const queries = new Map<string, StoredQuery[]>();
    const failed = new Set<number>();
    const run = async (slice: Slice) => {
      const targets = slice.seriesIds.map(seriesId => byId.get(seriesId)!);
      const outcome = await this.#ask(source, targets, slice, signal, report);
      outcome.failed.forEach(seriesId => failed.add(seriesId));
      return outcome;
    };

    for (const slice of planLive(
      items.map(i => i.series),
      until,
      this.#settings.correctionMinutes,
    )) {
      if (signal.aborted) {
        return;
      }
      const outcome = await run(slice);
      this.#keepQueries(queries, source, byId, outcome.queries);
    }
    if (queries.size > 0) {
      await this.#store.saveQueries(queries, Math.floor(this.#now() / 1000));
    }
    await this.#links.find(
      source,
      items.map(i => i.series).filter(one => !failed.has(one.id)),
      Math.floor(this.#now() / 1000),
      signal,
    );
    await this.#backfill(items, failed, run, cycle);
  }

  async #backfill(
    items: Wanted[],
    failed: Set<number>,
    run: (slice: Slice) => Promise<Outcome>,
    cycle: {
      until: number;
      started: number;
      signal: AbortSignal;
      report: CycleReport;
    },
  ): Promise<void> {
    const { until, started, signal, report } = cycle;
    const seconds = () => Math.floor(this.#now() / 1000);
    const eligible = items
      .map(item => item.series)
      .filter(
        ({ id }) =>
          !failed.has(id) && (this.#backoff.get(id)?.until ?? 0) <= seconds(),
      );
    if (eligible.length < items.length) {
      report.complete = false;
    }
    let slices = 0;
    for (const slice of planBackfill(eligible, until, this.#settings)) {
      const spent = (this.#now() - started) / 1000;
      // At least one slice, so that a cycle with many live requests still gets on.
      const exhausted =
        slices > 0 &&
        (spent > this.#settings.budgetSeconds ||
          report.requests >= this.#settings.maxRequests);
      if (signal.aborted || exhausted) {
        report.complete = false;
        return;
      }
      const seriesIds = slice.seriesIds.filter(
        id => (this.#backoff.get(id)?.until ?? 0) <= seconds(),
      );
      if (seriesIds.length === 0) {
        continue;
      }
      slices += 1;
      const outcome = await run({ ...slice, seriesIds });
      for (const id of seriesIds) {
        if (outcome.failed.has(id)) {
          report.complete = false;
          const wait = Math.min(
            (this.#backoff.get(id)?.wait ?? BACKOFF_START_SECONDS / 2) * 2,
            BACKOFF_MAX_SECONDS,
          );
          this.#backoff.set(id, { until: seconds() + wait, wait });
        } else {
          this.#backoff.delete(id);
        }
      }
    }
  }

  /** Asks one question and stores what came back, per target success or failure. */
  async #ask(
    source: TelemetrySource,
    items: Wanted[],
    slice: Slice,
    signal: AbortSignal,
    report: CycleReport,
  ): Promise<Outcome> {
    const { answered, failures, requests, queries } = await askSource(
      source,
      items.map(item => item.target),
      slice,
      signal,
    );
    report.requests += requests;
    const failed = new Set(failures.flatMap(failure => failure.seriesIds));
    if (answered.length > 0) {
      await this.#store.replaceWindow({
        level: slice.level,
        from: slice.from,
        to: slice.to,
        time: Math.floor(this.#now() / 1000),
        entries: answered,
      });
      for (const { series } of items) {
        if (!failed.has(series.id)) {
          series.covered = addRange(series.covered, slice.from, slice.to);
          series.watermarkAt = series.covered[series.covered.length - 1][1];
        }
      }
    }
    if (failures.length > 0) {
      await this.#fail(failures, report);
    }
    return { failed, queries };
  }

  async #fail(
    failures: { seriesIds: number[]; message: string }[],
    report: CycleReport,
  ): Promise<void> {
    for (const { seriesIds, message } of failures) {
      report.failures.set(
        message,
        (report.failures.get(message) ?? 0) + seriesIds.length,
      );
    }
    await this.#store.recordFailures(failures, Math.floor(this.#now() / 1000));
  }

  #keepQueries(
    kept: Map<string, StoredQuery[]>,
    source: TelemetrySource,
    byId: Map<number, Wanted>,
    queries: TelemetryResponse['queries'],
  ): void {
    for (const { keys, account, query } of queries) {
      const paths = new Set(
        keys.flatMap(key => byId.get(Number(key))?.series.pathRef ?? []),
      );
      for (const pathRef of paths) {
        const list = kept.get(pathRef) ?? [];
        if (list.length < MAX_QUERIES_PER_PATH) {
          list.push({ source: source.id, account, query });
        }
        kept.set(pathRef, list);
      }
    }
  }

  /** A lasting failure is logged when it starts, changes or ends, not four times a minute. */
  #logFailures(report: CycleReport): void {
    const lines = [...report.failures]
      .map(([message, count]) => `${count} of ${report.targets}: ${message}`)
      .sort();
    const text = [...report.failures.keys()].sort().join('\n');
    if (text === '' && report.requests === 0) {
      // Nothing was due, so nothing is known to be well again.
      return;
    }
    if (text !== this.#lastFailures) {
      this.#lastFailures = text;
      if (lines.length > 0) {
        this.#logger.warn(`Some feeds could not be read. ${lines.join('. ')}`);
      } else {
        this.#logger.info('All feeds can be read again');
      }
    }
  }
}
