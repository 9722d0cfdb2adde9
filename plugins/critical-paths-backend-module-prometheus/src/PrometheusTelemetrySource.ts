import { InputError, toError } from '@backstage/errors';
import type {
  TelemetryRequest,
  TelemetryResponse,
  TelemetrySource,
  TelemetryTarget,
} from '@rocket/plugin-critical-paths-node';
import {
  findServer,
  type PrometheusServer,
  type PrometheusSettings,
} from './config';
import { PrometheusClient, PrometheusError } from './PrometheusClient';
import { promqlString, splitOperation, writeQuery } from './promql';
import { readMatrix, type TargetAnswer } from './readMatrix';

/** Characters of one query; each name is in it several times. */
const MAX_QUERY_LENGTH = 60_000;
/** Points that one answer may be about to have: applications x buckets of a histogram x steps. */
const MAX_POINTS = 400_000;
/** Bounds of a usual histogram, for the estimate above. */
const USUAL_BUCKETS = 20;
const MAX_TARGETS = 100;

/** Epoch seconds; `to` is not in it. */
interface Window {
  from: number;
  to: number;
  step: 60 | 3600;
  signal?: AbortSignal;
  onRequest: () => void;
}

/** Counts requests from counters and histograms in Prometheus. */
export class PrometheusTelemetrySource implements TelemetrySource {
  readonly id = 'prometheus';
  readonly title = 'Prometheus';
  readonly #settings: PrometheusSettings;
  readonly #clients: Map<string, PrometheusClient>;

  constructor(
    settings: PrometheusSettings,
    options: {
      delay?: (ms: number, signal?: AbortSignal) => Promise<unknown>;
    } = {},
  ) {
    this.#settings = settings;
    this.#clients = new Map(
      settings.servers.map(server => [
        server.name,
        new PrometheusClient(server, settings, options.delay),
      ]),
    );
  }

  async fetch(request: TelemetryRequest): Promise<TelemetryResponse> {
    for (const [name, date] of Object.entries({
      from: request.from,
      to: request.to,
    })) {
      if (date.getTime() % (request.stepSeconds * 1000) !== 0) {
        throw new InputError(
          `'${name}' of a telemetry request must be aligned to ${request.stepSeconds} seconds`,
        );
      }
    }
    const response: TelemetryResponse = {
      results: [],
      failures: [],
      requests: 0,
      queries: [],
    };
    const byServer = new Map<PrometheusServer, TelemetryTarget[]>();
    for (const target of request.targets) {
      try {
        const fault = faultOf(target);
        if (fault) throw new InputError(fault);
        const server = findServer(this.#settings, target.account);
        byServer.set(server, [...(byServer.get(server) ?? []), target]);
      } catch (error) {
        response.failures.push({
          keys: [target.key],
          message: toError(error).message,
        });
      }
    }
    await Promise.all(
      [...byServer].flatMap(([server, targets]) =>
        groupsOf(server, targets, request).map(async group => {
          const step = request.stepSeconds;
          response.queries.push({
            keys: group.map(({ key }) => key),
            account: server.name,
            query: writeQuery(server, group, step),
          });
          const answers = await this.#ask(server, group, {
            from: request.from.getTime() / 1000,
            to: request.to.getTime() / 1000,
            step,
            signal: request.signal,
            onRequest: () => {
              response.requests += 1;
            },
          });
          const faults = new Map<string, string[]>();
          for (const [key, answer] of answers) {
            if (answer instanceof Error) {
              const keys = faults.get(answer.message) ?? [];
              faults.set(answer.message, [...keys, key]);
            } else {
              response.results.push({ key, ...answer });
            }
          }
          faults.forEach((keys, message) =>
            response.failures.push({ keys, message }),
          );
        }),
      ),
    );
    return response;
  }

  /**
   * Asks about a group; when that is too much at once, about halves of it, and
   * in the end about halves of the window. A part that fails fails its target.
   */
  async #ask(
    server: PrometheusServer,
    targets: TelemetryTarget[],
    window: Window,
  ): Promise<Map<string, TargetAnswer | Error>> {
    const { from, to, step, signal } = window;
    if (to <= from) {
      return new Map(targets.map(({ key }) => [key, { buckets: [] }]));
    }
    try {
      const rows = await this.#clients.get(server.name)!.queryRange(
        writeQuery(server, targets, step),
        // The value at a time is the growth before it.
        { start: from + step, end: to, step },
        window,
      );
      return readMatrix(server, targets, step, rows);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof PrometheusError && error.tooMuch) {
        if (targets.length > 1) {
          const middle = Math.ceil(targets.length / 2);
          return new Map([
            ...(await this.#ask(server, targets.slice(0, middle), window)),
            ...(await this.#ask(server, targets.slice(middle), window)),
          ]);
        }
        if (to - from > step) {
          const middle = from + Math.ceil((to - from) / step / 2) * step;
          const [{ key }] = targets;
          const first = (
            await this.#ask(server, targets, { ...window, to: middle })
          ).get(key)!;
          // Nothing is gained by asking on when the smaller part fails too.
          const answer =
            first instanceof Error
              ? first
              : joined(
                  first,
                  (
                    await this.#ask(server, targets, {
                      ...window,
                      from: middle,
                    })
                  ).get(key)!,
                );
          return new Map([[key, answer]]);
        }
      }
      return new Map(targets.map(({ key }) => [key, toError(error)]));
    }
  }

  /** The graph of the application's requests per second in the server's own UI. */
  async applicationUrl(
    target: Pick<TelemetryTarget, 'account' | 'appName'>,
  ): Promise<string | undefined> {
    try {
      const server = findServer(this.#settings, target.account);
      if (!server.uiUrl) return undefined;
      const { labels, duration, requests } = server;
      const url = new URL(`${server.uiUrl}/graph`);
      url.searchParams.set(
        'g0.expr',
        `sum by (${labels.status}) (rate(${requests ?? `${duration}_count`}{${
          labels.application
        }=${promqlString(target.appName)}}[5m]))`,
      );
      url.searchParams.set('g0.tab', '0');
      url.searchParams.set('g0.range_input', '6h');
      return url.toString();
    } catch {
      return undefined;
    }
  }
}

function joined(
  first: TargetAnswer,
  second: TargetAnswer | Error,
): TargetAnswer | Error {
  if (second instanceof Error) return second;
  const errors = [first, second].flatMap(a => a.latencyError ?? []);
  return {
    buckets: [...first.buckets, ...second.buckets],
    ...(errors.length > 0 ? { latencyError: Math.max(...errors) } : {}),
  };
}

function faultOf(target: TelemetryTarget): string | undefined {
  if (target.appName === '') return 'The application name is empty';
  if (target.operation === '') return 'The operation is empty';
  const bad = target.thresholdsMs.find(ms => !(ms > 0 && Number.isFinite(ms)));
  return bad === undefined
    ? undefined
    : `The latency threshold ${bad} is not a positive number of milliseconds`;
}

/** Which labels a target is told apart by; targets of one query share them. */
function kindOf({ operation }: TelemetryTarget): string {
  if (operation === undefined) return 'application';
  return splitOperation(operation).method ? 'method and route' : 'route';
}

/** Targets in groups that one query can be about. */
function groupsOf(
  server: PrometheusServer,
  targets: TelemetryTarget[],
  request: TelemetryRequest,
): TelemetryTarget[][] {
  const steps =
    (request.to.getTime() - request.from.getTime()) /
    1000 /
    request.stepSeconds;
  const most = Math.max(
    1,
    Math.min(MAX_TARGETS, Math.floor(MAX_POINTS / (steps * USUAL_BUCKETS))),
  );
  const groups: TelemetryTarget[][] = [];
  const sorted = [...targets].sort((a, b) => {
    const [left, right] = [a, b].map(t =>
      JSON.stringify([kindOf(t), t.criticalPath, t.appName, t.operation]),
    );
    return left < right ? -1 : 1;
  });
  for (const target of sorted) {
    const group = groups[groups.length - 1];
    if (
      group &&
      group.length < most &&
      kindOf(group[0]) === kindOf(target) &&
      writeQuery(server, [...group, target], request.stepSeconds).length <=
        MAX_QUERY_LENGTH
    ) {
      group.push(target);
    } else {
      groups.push([target]);
    }
  }
  return groups;
}
