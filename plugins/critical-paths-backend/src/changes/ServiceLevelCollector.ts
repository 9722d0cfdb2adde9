import type { LoggerService } from '@backstage/backend-plugin-api';
import type {
  SourceServiceLevel,
  TelemetrySource,
} from '@rocket/plugin-critical-paths-node';
import { messageOf, withTimeout } from '../collector/askSource';
import type { PathDirectory } from '../service/PathDirectory';
import { CellSum } from '../store/cells';
import { coveredMinutes } from '../store/ranges';
import type { Series, SignalStore } from '../store/SignalStore';
import { applicationsBySource, type KnownApplication } from './applications';
import type { ChangeStore, StoredServiceLevel } from './ChangeStore';

const TIMEOUT_MS = 180_000;
/** Sources need some minutes to count; the last whole hour that is so old is compared. */
const SETTLED_SECONDS = 600;

/** What one round did. */
export interface ServiceLevelReport {
  levels: number;
  requests: number;
  failures: Map<string, number>;
}

/**
 * Reads the service levels that people keep at a source, with what the source
 * measured, and counts the same hours from our own rows. The two must agree:
 * where they do not, somebody defines the same word differently.
 */
export class ServiceLevelCollector {
  readonly #options: {
    store: ChangeStore;
    signals: Pick<SignalStore, 'listSeries' | 'readRows'>;
    directory: Pick<PathDirectory, 'model'>;
    sources: ReadonlyMap<string, TelemetrySource>;
    logger: LoggerService;
    now: () => number;
  };

  constructor(options: {
    store: ChangeStore;
    signals: Pick<SignalStore, 'listSeries' | 'readRows'>;
    directory: Pick<PathDirectory, 'model'>;
    sources: ReadonlyMap<string, TelemetrySource>;
    logger: LoggerService;
    now?: () => number;
  }) {
    this.#options = { now: Date.now, ...options };
  }

  /** Runs one round. Rejects only when the catalog or the database is away, or on abort. */
  async runCycle(signal: AbortSignal): Promise<ServiceLevelReport> {
    const report: ServiceLevelReport = {
      levels: 0,
      requests: 0,
      failures: new Map(),
    };
    const { paths } = await this.#options.directory.model();
    for (const [id, applications] of applicationsBySource(paths)) {
      const source = this.#options.sources.get(id);
      if (source?.fetchServiceLevels) {
        await this.#collect(source, applications, signal, report);
      }
    }
    for (const [message, count] of report.failures) {
      this.#options.logger.warn(
        `Service levels of ${count} applications could not be read: ${message}`,
      );
    }
    return report;
  }

  async #collect(
    source: TelemetrySource,
    applications: KnownApplication[],
    signal: AbortSignal,
    report: ServiceLevelReport,
  ): Promise<void> {
    const { store, now } = this.#options;
    const readTime = Math.floor(now() / 1000);
    const at = Math.floor((readTime - SETTLED_SECONDS) / 3600) * 3600;
    let levels: SourceServiceLevel[];
    const failed = new Set<string>();
    try {
      const response = await withTimeout(
        inner =>
          source.fetchServiceLevels!({
            applications: applications.map(({ question }) => question),
            at: new Date(at * 1000),
            signal: inner,
          }),
        TIMEOUT_MS,
        signal,
      );
      report.requests += response.requests;
      levels = response.levels;
      for (const { keys, message } of response.failures) {
        keys.forEach(key => failed.add(key));
        report.failures.set(
          message,
          (report.failures.get(message) ?? 0) + keys.length,
        );
      }
    } catch (error) {
      signal.throwIfAborted();
      // What was read before stays, with its time.
      report.failures.set(messageOf(error), applications.length);
      return;
    }
    const answered = applications.filter(a => !failed.has(a.question.key));
    const byKey = new Map(answered.map(one => [one.question.key, one]));
    const series = await this.#options.signals.listSeries();
    const stored: StoredServiceLevel[] = [];
    for (const level of levels) {
      const application = byKey.get(level.key);
      for (const entityRef of application?.entityRefs ?? []) {
        const own = series.filter(
          ({ componentRef, selection }) =>
            componentRef === entityRef &&
            selection.source === source.id &&
            selection.account === application!.account &&
            selection.appName === application!.appName &&
            (level.criticalPath === undefined ||
              selection.criticalPath === level.criticalPath),
        );
        stored.push({
          source: source.id,
          externalId: level.id,
          entityRef,
          name: level.name,
          sli: level.sli,
          thresholdMs: level.thresholdMs,
          criticalPath: level.criticalPath,
          target: level.target,
          windowDays: level.windowDays,
          fromTime: level.from.getTime() / 1000,
          toTime: level.to.getTime() / 1000,
          valid: level.valid,
          good: level.good,
          ...(await this.#compare(level, own)),
          query: level.query,
          url: level.url,
          readTime,
        });
      }
    }
    report.levels += stored.length;
    await store.replaceServiceLevels(
      source.id,
      answered.flatMap(({ entityRefs }) => entityRefs),
      stored,
    );
  }

  /** Counts the hours of a service level from our own rows, where that can be compared. */
  async #compare(
    level: SourceServiceLevel,
    series: Series[],
  ): Promise<Pick<StoredServiceLevel, 'ourValid' | 'ourGood' | 'comparison'>> {
    const none = (comparison: string) => ({
      ourValid: null,
      ourGood: null,
      comparison,
    });
    if (level.sli === 'other') {
      return none(
        'Its definition of a good event is none that Rocket counts by',
      );
    }
    if (level.valid === null || level.to <= level.from) {
      return none('Nothing was measured yet');
    }
    const from = level.from.getTime() / 60_000;
    const to = level.to.getTime() / 60_000;
    const used = distinctSeries(series);
    if (used.length === 0) {
      return none(
        level.criticalPath === undefined
          ? 'Nothing is collected of this application'
          : `Nothing is collected of the critical path ${level.criticalPath}`,
      );
    }
    const observed = Math.min(
      ...used.map(one => coveredMinutes(one.covered, from, to)),
    );
    if (observed < to - from) {
      return none(
        `Only ${Math.floor(
          (observed / (to - from)) * 100,
        )} % of its time is collected`,
      );
    }
    const sum = new CellSum();
    for (const row of await this.#options.signals.readRows(
      'hour',
      used.map(({ id }) => id),
      from,
      to,
    )) {
      sum.add(row);
    }
    const where =
      level.criticalPath === undefined
        ? `all critical paths of the application`
        : `the critical path ${level.criticalPath}`;
    if (level.sli === 'availability') {
      return {
        ourValid: sum.valid,
        ourGood: sum.good,
        comparison: `Availability over ${where}`,
      };
    }
    const exact = sum
      .toCell()
      .thresholds.find(({ threshold }) => threshold === level.thresholdMs);
    if (!exact || exact.of !== sum.valid) {
      return none(
        `Requests within ${level.thresholdMs} ms are not counted: no objective of the path has this threshold`,
      );
    }
    return {
      ourValid: exact.of,
      ourGood: exact.within,
      comparison: `Requests within ${level.thresholdMs} ms over ${where}`,
    };
  }
}

/** Series whose sum counts every request once: per path the widest selection. */
function distinctSeries(series: Series[]): Series[] {
  const whole = new Set(
    series
      .filter(({ selection }) => selection.operation === undefined)
      .map(({ selection }) => selection.criticalPath),
  );
  const seen = new Set<string>();
  return series.filter(({ selection: { criticalPath, operation } }) => {
    const key = JSON.stringify([criticalPath, operation ?? null]);
    if ((operation !== undefined && whole.has(criticalPath)) || seen.has(key)) {
      return false;
    }
    seen.add(key);
    return true;
  });
}
