import type { LoggerService } from '@backstage/backend-plugin-api';
import type {
  ChangeFeedResponse,
  TelemetrySource,
} from '@rocket/plugin-critical-paths-node';
import { messageOf, withTimeout } from '../collector/askSource';
import type { PathDirectory } from '../service/PathDirectory';
import { applicationsBySource, type KnownApplication } from './applications';
import type { ChangeStore, StoredChange } from './ChangeStore';
import { feedKey } from './DatabaseChangeStore';

/** Longest time that one question may take. */
const TIMEOUT_MS = 120_000;
/** What was read is read again for so long: events reach a source late, and their timestamp is that of the past. */
const OVERLAP_SECONDS = 1800;
/** Feeds that are behind by more are asked for apart from the others, which then ask for little. */
const BEHIND_SECONDS = 6 * 3600;
/** No monitoring keeps an incident open for longer; New Relic's limit is 30 days. */
const LONGEST_INCIDENT_SECONDS = 30 * 86_400;

/** What one round did. */
export interface ChangeReportOfCycle {
  applications: number;
  /** HTTP requests that the sources made. */
  requests: number;
  /** Changes that were added or became different. */
  changes: number;
  /** Applications that could not be answered for, by message. */
  failures: Map<string, number>;
}

/**
 * Reads deployments and incidents of all applications from the sources that
 * know them: what is new, with the last half hour again, and once everything
 * back to the end of the back-fill. A feed that failed goes on from where it
 * was read to, so an outage of a source loses nothing.
 */
export class ChangeCollector {
  readonly #store: ChangeStore;
  readonly #directory: Pick<PathDirectory, 'model'>;
  readonly #sources: ReadonlyMap<string, TelemetrySource>;
  readonly #backfillSeconds: number;
  readonly #logger: LoggerService;
  readonly #now: () => number;
  #lastFailures = '';

  constructor(options: {
    store: ChangeStore;
    directory: Pick<PathDirectory, 'model'>;
    sources: ReadonlyMap<string, TelemetrySource>;
    settings: { backfillMinutes: number };
    logger: LoggerService;
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#directory = options.directory;
    this.#sources = options.sources;
    this.#backfillSeconds = options.settings.backfillMinutes * 60;
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
  }

  /** Runs one round. Rejects only when the catalog or the database is away, or on abort. */
  async runCycle(signal: AbortSignal): Promise<ChangeReportOfCycle> {
    const { paths } = await this.#directory.model();
    const report: ChangeReportOfCycle = {
      applications: 0,
      requests: 0,
      changes: 0,
      failures: new Map(),
    };
    const outcomes = await Promise.allSettled(
      [...applicationsBySource(paths)].map(async ([id, applications]) => {
        const source = this.#sources.get(id);
        if (source?.fetchChanges) {
          await this.#collect(source, applications, signal, report);
        }
      }),
    );
    const broken = outcomes.find(outcome => outcome.status === 'rejected');
    if (broken) {
      throw broken.reason;
    }
    signal.throwIfAborted();
    this.#logFailures(report);
    return report;
  }

  async #collect(
    source: TelemetrySource,
    applications: KnownApplication[],
    signal: AbortSignal,
    report: ChangeReportOfCycle,
  ): Promise<void> {
    const now = Math.floor(this.#now() / 1000);
    const feeds = new Map(
      (await this.#store.listFeeds(applications)).map(feed => [
        feedKey(feed),
        feed,
      ]),
    );
    const oldest = now - this.#backfillSeconds;
    const groups = new Map<string, { from: number; of: KnownApplication[] }>();
    for (const application of applications) {
      // A clock that was ahead must not make a feed wait for it.
      const readUntil = Math.min(
        feeds.get(feedKey(application))?.readUntilTime ?? oldest,
        now,
      );
      const from = Math.max(readUntil - OVERLAP_SECONDS, oldest);
      const name = now - readUntil > BEHIND_SECONDS ? 'behind' : 'current';
      const group = groups.get(name) ?? { from, of: [] };
      group.from = Math.min(group.from, from);
      group.of.push(application);
      groups.set(name, group);
    }
    report.applications += applications.length;
    for (const { from, of } of groups.values()) {
      await this.#ask(source, of, { from, to: now }, signal, report);
    }
    await this.#closeForgotten(source, now, report);
  }

  async #ask(
    source: TelemetrySource,
    applications: KnownApplication[],
    window: { from: number; to: number },
    signal: AbortSignal,
    report: ChangeReportOfCycle,
  ): Promise<void> {
    let response: ChangeFeedResponse;
    try {
      response = await withTimeout(
        inner =>
          source.fetchChanges!({
            applications: applications.map(({ question }) => question),
            from: new Date(window.from * 1000),
            to: new Date(window.to * 1000),
            signal: inner,
          }),
        TIMEOUT_MS,
        signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      response = {
        deployments: [],
        incidents: [],
        requests: 1,
        failures: [
          {
            keys: applications.map(({ question }) => question.key),
            message: messageOf(error),
          },
        ],
      };
    }
    report.requests += response.requests;
    const byKey = new Map(applications.map(one => [one.question.key, one]));
    // What was answered is kept, although another part of the answer is missing:
    // the feed is then read again from where it was.
    report.changes += await this.#store.saveChanges(
      changesOf(source.id, response, byKey),
      window.to,
    );
    const failed = new Set<string>();
    for (const { keys, message } of response.failures) {
      const of = keys.flatMap(key => byKey.get(key) ?? []);
      of.forEach(({ question }) => failed.add(question.key));
      report.failures.set(
        message,
        (report.failures.get(message) ?? 0) + of.length,
      );
      await this.#store.saveFeedFailure(of, message, window.to);
    }
    await this.#store.saveFeedSuccess(
      applications.filter(({ question }) => !failed.has(question.key)),
      window.to,
      window.to,
    );
  }

  /** The end of an incident may have been lost, for example with its account. */
  async #closeForgotten(
    source: TelemetrySource,
    now: number,
    report: ChangeReportOfCycle,
  ): Promise<void> {
    const forgotten = (await this.#store.listOpenIncidents(source.id)).filter(
      ({ startTime }) =>
        now - startTime > LONGEST_INCIDENT_SECONDS + OVERLAP_SECONDS,
    );
    report.changes += await this.#store.saveChanges(
      forgotten.map(change => ({
        ...change,
        endTime: change.startTime + LONGEST_INCIDENT_SECONDS,
        incident: change.incident && {
          ...change.incident,
          notCounted: `${source.title} never told its end`,
        },
      })),
      now,
    );
  }

  #logFailures(report: ChangeReportOfCycle): void {
    const text = [...report.failures.keys()].sort().join('. ');
    if (text !== this.#lastFailures) {
      this.#lastFailures = text;
      if (text) {
        this.#logger.warn(
          `Deployments and incidents of some applications could not be read. ${text}`,
        );
      } else {
        this.#logger.info('Deployments and incidents can be read again');
      }
    }
  }
}

const seconds = (date: Date) => Math.floor(date.getTime() / 1000);
const optionalSeconds = (date: Date | undefined) => date && seconds(date);

function changesOf(
  source: string,
  response: ChangeFeedResponse,
  byKey: ReadonlyMap<string, KnownApplication>,
): StoredChange[] {
  const changes: StoredChange[] = [];
  for (const one of response.deployments) {
    const { entityRefs = [], appName = '' } = byKey.get(one.key) ?? {};
    for (const entityRef of entityRefs) {
      changes.push({
        kind: 'deployment',
        source,
        externalId: one.id,
        entityRef,
        startTime: seconds(one.at),
        title: one.version ? `${appName} ${one.version}` : appName,
        version: one.version,
        detail:
          [
            one.description,
            one.commit && `commit ${one.commit.slice(0, 12)}`,
            one.user && `by ${one.user}`,
          ]
            .filter(Boolean)
            .join(', ') || undefined,
        url: one.url,
      });
    }
  }
  for (const one of response.incidents) {
    for (const entityRef of byKey.get(one.key)?.entityRefs ?? []) {
      changes.push({
        kind: 'incident',
        source,
        externalId: one.id,
        entityRef,
        startTime: seconds(one.openedAt),
        endTime: optionalSeconds(one.closedAt),
        title: one.title,
        url: one.url,
        incident: {
          priority: one.priority,
          condition: one.condition,
          policy: one.policy,
          muted: one.muted,
          degradedTime: optionalSeconds(one.degradedAt),
          recoveredTime: optionalSeconds(one.recoveredAt),
          closeCause: one.closeCause,
          notCounted: one.notCounted,
        },
      });
    }
  }
  return changes;
}
