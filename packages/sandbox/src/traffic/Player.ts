import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SandboxLogger } from '../ingest/types';
import type { EventStore, RowWriter } from '../store/EventStore';
import {
  SERVICE_LEVEL_ATTRIBUTES,
  ServiceLevelCounter,
} from './ServiceLevelCounter';
import type { TrafficMarker } from './ScenarioEvents';
import type { TrafficModel } from './TrafficModel';
import type { TrafficScenario } from './scenario';

const MINUTE = 60_000;
const DAY = 86_400_000;
/** How long generation may keep the event loop to itself. */
const SLICE_MS = 25;

const ATTRIBUTES = [
  'appName',
  'name',
  'criticalPath',
  'duration',
  'http.statusCode',
  'error',
  'transactionType',
  'entityGuid',
  'entity.guid',
  'host',
  'tags.Team',
] as const;

/** The part of the event store that generated traffic goes to. */
export type TrafficStore = Pick<
  EventStore,
  'append' | 'compact' | 'registerApplication' | 'serviceLevels' | 'writer'
>;

export interface TrafficOptions {
  store: TrafficStore;
  accountId: number;
  /** File such as `examples/traffic.yaml`. */
  scenarioFile: string;
  /** Absolute folder; the anchor day is kept in `sandbox/traffic.json` in it. */
  dataDir: string;
  /** How often elapsed time turns into events, in milliseconds. Default 1000. */
  tickMs?: number;
  /** Days of history instead of the scenario's. */
  historyDays?: number;
  logger?: SandboxLogger;
  now?: () => number;
}

/** What was generated at the start. */
export interface TrafficHistory {
  events: number;
  /** Wall-clock milliseconds it took. */
  tookMs: number;
}

export interface RunningTraffic {
  /**
   * Resolves when the history is complete. Answer no query before: the reader
   * would take a gap for the truth. Rejects when generation fails.
   */
  ready: Promise<TrafficHistory>;
  /** Days of history, and the deployments and incidents of any time in [from, to), epoch milliseconds. */
  historyDays: number;
  markersBetween(from: number, to: number): TrafficMarker[];
  /** Ends generation; nothing is appended afterwards. */
  stop(): Promise<void>;
}

/** Writes a model's requests into the store as their time comes. */
export class Player {
  readonly #options: TrafficOptions;
  readonly #model: TrafficModel;
  readonly #historyDays: number;
  readonly #writer: RowWriter;
  readonly #guids = new Map<string, string>();
  readonly #teams = new Map<string, string>();
  /** Everything up to and with this time is in the store. Epoch milliseconds. */
  #cursor: number;
  #events = 0;
  #stopped = false;
  #minute: { minute: number; requests: ReturnType<TrafficModel['requestsOf']> };
  readonly #serviceLevels: ServiceLevelCounter;

  constructor(
    options: TrafficOptions,
    scenario: TrafficScenario,
    model: TrafficModel,
    startedAt: number,
  ) {
    this.#options = options;
    this.#model = model;
    this.#historyDays = options.historyDays ?? scenario.historyDays;
    this.#writer = options.store.writer(
      options.accountId,
      'Transaction',
      ATTRIBUTES,
    );
    for (const [appName, application] of Object.entries(
      scenario.applications,
    )) {
      const { guid } = options.store.registerApplication({
        accountId: options.accountId,
        appName,
        language: application.language,
        labels: { Team: application.team },
      });
      this.#guids.set(appName, guid);
      this.#teams.set(appName, application.team);
    }
    // Whole minutes, so that the first one is not cut.
    this.#cursor =
      Math.floor((startedAt - this.#historyDays * DAY) / MINUTE) * MINUTE - 1;
    this.#minute = { minute: -1, requests: [] };
    const levels = scenario.serviceLevels.map(level =>
      options.store.serviceLevels.add({
        accountId: options.accountId,
        name: level.name,
        applicationGuid: this.#guids.get(level.application)!,
        appName: level.application,
        path: level.path,
        indicator:
          level.thresholdMs === undefined
            ? { sli: 'availability' }
            : { sli: 'latency', thresholdMs: level.thresholdMs },
        target: level.target,
        windowDays: level.windowDays,
        createdAt: this.#cursor + 1,
      }),
    );
    this.#serviceLevels = new ServiceLevelCounter(
      options.store.writer(
        options.accountId,
        'Metric',
        SERVICE_LEVEL_ATTRIBUTES,
      ),
      levels,
    );
  }

  start(now: () => number): RunningTraffic {
    const { logger, store, tickMs = 1000 } = this.#options;
    const startedAt = Date.now();
    const work = (async (): Promise<TrafficHistory> => {
      await this.#advance(now(), fraction =>
        logger?.info(
          `Generating ${this.#historyDays} days of traffic: ${Math.round(
            fraction * 100,
          )} %`,
        ),
      );
      store.compact();
      const tookMs = Date.now() - startedAt;
      logger?.info(
        `Generated ${this.#events} events of history in ${(
          tookMs / 1000
        ).toFixed(1)} s`,
      );
      return { events: this.#events, tookMs };
    })();
    let last: Promise<unknown> = work;
    let timer: NodeJS.Timeout | undefined;
    const tick = () => {
      timer = setTimeout(() => {
        last = this.#advance(now()).then(tick, error => {
          logger?.warn(`Traffic could not be generated: ${error}`);
          tick();
        });
      }, tickMs);
      if (this.#stopped) {
        clearTimeout(timer);
      }
    };
    void work.then(tick, () => {});
    return {
      ready: work,
      historyDays: this.#historyDays,
      markersBetween: (from, to) => this.#model.markersBetween(from, to),
      stop: async () => {
        this.#stopped = true;
        clearTimeout(timer);
        await last.catch(() => {});
        clearTimeout(timer);
      },
    };
  }

  /** Appends what happened after the cursor, up to and with `to`. */
  async #advance(
    to: number,
    progress?: (fraction: number) => void,
  ): Promise<void> {
    // After a long sleep of the machine only what a fresh start would make.
    this.#cursor = Math.max(
      this.#cursor,
      Math.floor((to - this.#historyDays * DAY) / MINUTE) * MINUTE - 1,
    );
    const from = this.#cursor;
    const markers = this.#model.markersBetween(from + 1, to + 1);
    let sliceEnds = Date.now() + SLICE_MS;
    let quarter = 1;
    while (this.#cursor < to && !this.#stopped) {
      const minute = Math.floor((this.#cursor + 1) / MINUTE);
      const end = Math.min(to, (minute + 1) * MINUTE - 1);
      this.#write(minute, this.#cursor, end);
      this.#cursor = end;
      if (end === (minute + 1) * MINUTE - 1) {
        this.#serviceLevels.count(minute, this.#minute.requests);
      }
      if (Date.now() >= sliceEnds) {
        if (progress && (end - from) / (to - from) >= quarter / 4) {
          progress((end - from) / (to - from));
          quarter = Math.floor(((end - from) / (to - from)) * 4) + 1;
        }
        await nextTurn();
        sliceEnds = Date.now() + SLICE_MS;
      }
    }
    this.#options.store.append(
      this.#options.accountId,
      markers
        .filter(marker => marker.timestamp <= this.#cursor)
        .map(({ eventType, application, timestamp, attributes }) => {
          const guid = this.#guids.get(application)!;
          return {
            eventType,
            timestamp,
            attributes: {
              ...attributes,
              appName: application,
              entityGuid: guid,
              'entity.guid': guid,
              'entity.name': application,
              'entity.type': 'APM_APPLICATION_ENTITY',
              'tags.Team': this.#teams.get(application)!,
            },
          };
        }),
      // Made again at the next start.
      { journal: false },
    );
  }

  #write(minute: number, after: number, until: number) {
    if (this.#minute.minute !== minute) {
      this.#minute = { minute, requests: this.#model.requestsOf(minute) };
    }
    for (const request of this.#minute.requests) {
      const { timestamp, stream } = request;
      if (timestamp <= after || timestamp > until) {
        continue;
      }
      const guid = this.#guids.get(stream.application);
      this.#writer.row(
        timestamp,
        [
          stream.application,
          stream.transaction,
          stream.path,
          request.duration,
          request.status,
          request.error,
          'Web',
          guid,
          guid,
          `${stream.application}-${(timestamp % 3) + 1}`,
          this.#teams.get(stream.application),
        ],
        stream.weight,
      );
      this.#events += 1;
    }
  }
}
