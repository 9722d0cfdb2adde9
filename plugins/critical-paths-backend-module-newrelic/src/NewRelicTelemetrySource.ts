import { InputError, toError } from '@backstage/errors';
import {
  type NewRelicService,
  type NrqlOutcome,
  nrqlString,
} from '@rocket/newrelic-node';
import type {
  ChangeFeedRequest,
  ChangeFeedResponse,
  ServiceLevelRequest,
  ServiceLevelResponse,
  TelemetryBucket,
  TelemetryRequest,
  TelemetryResponse,
  TelemetrySource,
  TelemetryTarget,
} from '@rocket/plugin-critical-paths-node';
import { NewRelicChanges } from './NewRelicChanges';
import { type PlannedQuery, planQueries } from './planQueries';
import { readAnswer } from './readAnswer';

/**
 * Queries of one account that are under way at once. A back-fill needs
 * hundreds; this bounds the answers that are held in memory, to 40 MB of JSON
 * per account in the worst case.
 */
const QUERIES_AT_ONCE = 10;

/** Collects what the accounts answer, so that one failure never hides another's success. */
class Collected {
  readonly failures: TelemetryResponse['failures'] = [];
  readonly queries: TelemetryResponse['queries'] = [];
  readonly #buckets = new Map<string, TelemetryBucket[]>();
  readonly #failed = new Set<string>();

  fail(keys: string[], message: string): void {
    if (keys.length === 0) return;
    keys.forEach(key => this.#failed.add(key));
    this.failures.push({ keys, message });
  }

  add(answer: Map<string, TelemetryBucket[]>): void {
    for (const [key, buckets] of answer) {
      const known = this.#buckets.get(key);
      if (known) known.push(...buckets);
      else this.#buckets.set(key, buckets);
    }
  }

  results(targets: TelemetryTarget[]): TelemetryResponse['results'] {
    return targets
      .filter(({ key }) => !this.#failed.has(key))
      .map(({ key }) => ({
        key,
        buckets: (this.#buckets.get(key) ?? []).sort(
          (a, b) => a.start - b.start,
        ),
      }));
  }
}

function keysOf(targets: TelemetryTarget[]): string[] {
  return targets.map(({ key }) => key);
}

function assertAligned({ from, to, stepSeconds }: TelemetryRequest): void {
  for (const [name, date] of Object.entries({ from, to })) {
    if (date.getTime() % (stepSeconds * 1_000) !== 0) {
      throw new InputError(
        `'${name}' of a telemetry request must be aligned to ${stepSeconds} seconds`,
      );
    }
  }
  if (from > to) {
    throw new InputError(
      `'from' of a telemetry request must not be later than 'to'`,
    );
  }
}

/** Counts requests of critical paths from New Relic's `Transaction` events. */
export class NewRelicTelemetrySource implements TelemetrySource {
  readonly id = 'newrelic';
  readonly title = 'New Relic';
  readonly #newrelic: NewRelicService;
  readonly #changes: NewRelicChanges;

  constructor(newrelic: NewRelicService) {
    this.#newrelic = newrelic;
    this.#changes = new NewRelicChanges(newrelic);
  }

  /** Deployments from change tracking, incidents from `NrAiIncident`. */
  async fetchChanges(request: ChangeFeedRequest): Promise<ChangeFeedResponse> {
    return this.#changes.fetchChanges(request);
  }

  async fetchServiceLevels(
    request: ServiceLevelRequest,
  ): Promise<ServiceLevelResponse> {
    return this.#changes.fetchServiceLevels(request);
  }

  async fetch(request: TelemetryRequest): Promise<TelemetryResponse> {
    assertAligned(request);
    const collected = new Collected();
    let requests = 0;
    const countRequest = () => {
      requests += 1;
    };

    const byAccount = new Map<string, TelemetryTarget[]>();
    for (const target of request.targets) {
      try {
        const { name } = this.#newrelic.getAccount(target.account);
        byAccount.set(name, [...(byAccount.get(name) ?? []), target]);
      } catch (error) {
        collected.fail([target.key], toError(error).message);
      }
    }
    await Promise.all(
      [...byAccount].map(async ([account, targets]) => {
        const plan = planQueries(targets, request);
        plan.refused.forEach(({ key, message }) =>
          collected.fail([key], message),
        );
        for (let i = 0; i < plan.queries.length; i += QUERIES_AT_ONCE) {
          const fault = await this.#ask(
            account,
            plan.queries.slice(i, i + QUERIES_AT_ONCE),
            collected,
            request.signal,
            countRequest,
          );
          if (fault) {
            // Nothing at all was answered: asking on would only repeat it.
            const open = plan.queries.slice(i).flatMap(query => query.targets);
            collected.fail([...new Set(keysOf(open))], fault);
            break;
          }
        }
      }),
    );
    return {
      results: collected.results(request.targets),
      failures: collected.failures,
      requests,
      queries: collected.queries,
    };
  }

  /** Answers the message of a fault that concerns the whole account. */
  async #ask(
    account: string,
    queries: PlannedQuery[],
    collected: Collected,
    signal: AbortSignal | undefined,
    onRequest: () => void,
  ): Promise<string | undefined> {
    for (const { nrql, targets } of queries) {
      collected.queries.push({ account, keys: keysOf(targets), query: nrql });
    }
    let outcomes: NrqlOutcome[];
    try {
      outcomes = await this.#newrelic.query(
        account,
        queries.map(({ nrql }) => ({ nrql })),
        { signal, onRequest },
      );
    } catch (error) {
      signal?.throwIfAborted();
      return toError(error).message;
    }
    outcomes.forEach((outcome, index) => {
      const query = queries[index];
      try {
        if (!outcome.ok) throw outcome.error;
        collected.add(readAnswer(query, outcome.result));
      } catch (error) {
        collected.fail(keysOf(query.targets), toError(error).message);
      }
    });
    return undefined;
  }

  /**
   * The list of entities with the application's name, in the account's New
   * Relic UI. Undefined when the account is not known or has no UI.
   */
  async applicationUrl(
    target: Pick<TelemetryTarget, 'account' | 'appName'>,
  ): Promise<string | undefined> {
    try {
      const { id, uiBaseUrl } = this.#newrelic.getAccount(target.account);
      if (!uiBaseUrl) return undefined;
      const url = new URL(`${uiBaseUrl}/nr1-core`);
      url.searchParams.set('account', String(id));
      url.searchParams.set(
        'filters',
        `(domain IN ('APM', 'EXT') AND name = ${nrqlString(target.appName)})`,
      );
      return url.toString();
    } catch {
      return undefined;
    }
  }
}
