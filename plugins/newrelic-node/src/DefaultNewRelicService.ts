import type { LoggerService } from '@backstage/backend-plugin-api';
import { InputError, NotFoundError } from '@backstage/errors';
import type { AccountSettings, NewRelicSettings } from './config';
import {
  NewRelicAuthenticationError,
  NewRelicError,
  fromNerdGraphErrors,
} from './errors';
import { type Delay, Limiter, delay as realDelay } from './limiter';
import { type AliasedQuery, buildBatch, readBatch } from './nrqlBatch';
import { type NerdGraphAnswer, postNerdGraph } from './transport';
import type {
  NerdGraphError,
  NewRelicAccount,
  NewRelicCallOptions,
  NewRelicService,
  NrqlOutcome,
  NrqlQuery,
  NrqlResult,
} from './types';

/** First try and three more, as New Relic's own client does. */
const MAX_ATTEMPTS = 4;
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 8_000;
const MIN_QUERY_TIMEOUT_SECONDS = 5;
const MAX_QUERY_TIMEOUT_SECONDS = 120;
/** What HTTP needs on top of the time that New Relic may take for a query. */
const HTTP_MARGIN_MS = 5_000;

type Request = { query: string; variables?: Record<string, unknown> };
type AliasOutcome = NrqlResult | NewRelicError;

/** True when the document has an operation that changes something. */
function hasMutation(document: string): boolean {
  // Block strings and strings are not looked into; a field that happens to be
  // called "mutation" only costs the retries.
  const code = document
    .replace(/"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"/g, '""')
    .replace(/#[^\n]*/g, '');
  return /\bmutation\b/.test(code);
}

/** NerdGraph over HTTP: batches, retries and limits; see {@link NewRelicService}. */
export class DefaultNewRelicService implements NewRelicService {
  readonly #settings: NewRelicSettings;
  readonly #logger: LoggerService;
  readonly #delay: Delay;
  readonly #random: () => number;
  /** By key: New Relic counts concurrent requests per user, not per account. */
  readonly #limiters = new Map<string, Limiter>();
  readonly #stats = { requests: 0, retries: 0, failures: 0 };

  constructor(options: {
    settings: NewRelicSettings;
    logger: LoggerService;
    delay?: Delay;
    /** 0 <= x < 1, for the jitter. */
    random?: () => number;
  }) {
    this.#settings = options.settings;
    this.#logger = options.logger;
    this.#delay = options.delay ?? realDelay;
    this.#random = options.random ?? Math.random;
    for (const { key } of options.settings.accounts) {
      if (!this.#limiters.has(key.reveal())) {
        this.#limiters.set(
          key.reveal(),
          new Limiter(options.settings.maxConcurrency),
        );
      }
    }
  }

  listAccounts(): NewRelicAccount[] {
    return this.#settings.accounts.map(toPublicAccount);
  }

  getAccount(name?: string): NewRelicAccount {
    return toPublicAccount(this.#findAccount(name));
  }

  stats() {
    return { ...this.#stats };
  }

  async query(
    accountName: string | undefined,
    queries: NrqlQuery[],
    options: NewRelicCallOptions = {},
  ): Promise<NrqlOutcome[]> {
    const account = this.#findAccount(accountName);
    const size = this.#settings.maxAliasesPerRequest;
    const batches: AliasedQuery[][] = [];
    queries.forEach(({ nrql, timeoutSeconds }, index) => {
      const seconds = timeoutSeconds ?? this.#settings.queryTimeoutSeconds;
      if (
        !Number.isInteger(seconds) ||
        seconds < MIN_QUERY_TIMEOUT_SECONDS ||
        seconds > MAX_QUERY_TIMEOUT_SECONDS
      ) {
        throw new InputError(
          `timeoutSeconds of a query must be a whole number from ${MIN_QUERY_TIMEOUT_SECONDS} to ${MAX_QUERY_TIMEOUT_SECONDS}, got ${seconds}`,
        );
      }
      const place = index % size;
      if (place === 0) batches.push([]);
      batches[batches.length - 1].push({
        alias: `q${place}`,
        nrql,
        timeoutSeconds: seconds,
      });
    });

    // The first fault that dooms the whole call also ends its other batches.
    const controller = new AbortController();
    const onAbort = () => controller.abort(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    let answers: Map<string, AliasOutcome>[];
    try {
      options.signal?.throwIfAborted();
      answers = await Promise.all(
        batches.map(batch =>
          this.#runAliases(account, batch, 1, {
            ...options,
            signal: controller.signal,
          }),
        ),
      );
    } catch (error) {
      controller.abort(error);
      if (!options.signal?.aborted) this.#stats.failures += queries.length;
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
    }

    const faults: NewRelicError[] = [];
    const outcomes = answers.flatMap((answer, index) =>
      batches[index].map(({ alias }): NrqlOutcome => {
        const outcome = answer.get(alias)!;
        if (!(outcome instanceof NewRelicError)) {
          return { ok: true, result: outcome };
        }
        faults.push(outcome);
        return { ok: false, error: outcome };
      }),
    );
    this.#stats.failures += faults.length;
    if (
      faults.length > 0 &&
      faults.length === outcomes.length &&
      faults.every(({ scope }) => scope === 'request')
    ) {
      throw faults[0];
    }
    return outcomes;
  }

  async graphql<T = unknown>(
    accountName: string | undefined,
    request: Request,
    options: NewRelicCallOptions & { idempotent?: boolean } = {},
  ): Promise<{ data: T | null; errors: NerdGraphError[] }> {
    const account = this.#findAccount(accountName);
    const idempotent = options.idempotent ?? !hasMutation(request.query);

    for (let attempt = 1; ; attempt++) {
      const last = !idempotent || attempt === MAX_ATTEMPTS;
      let fault: NewRelicError;
      try {
        const answer = await this.#send(
          account,
          request,
          this.#settings.timeoutMs,
          attempt,
          options,
        );
        const pathless = answer.errors.filter(({ path }) => !path);
        if (answer.errors.length === 0) {
          return { data: answer.data as T | null, errors: [] };
        }
        fault = fromNerdGraphErrors(
          pathless.length > 0 ? pathless : answer.errors,
          account.name,
          'request',
        );
        if (pathless.length === 0 && (last || !fault.retryable)) {
          return { data: answer.data as T | null, errors: answer.errors };
        }
      } catch (error) {
        if (!(error instanceof NewRelicError)) throw error;
        fault = error;
      }
      if (last || !fault.retryable) {
        this.#stats.failures += 1;
        throw fault;
      }
      await this.#backOff(account, fault, attempt, options.signal);
    }
  }

  /** One attempt for these aliases and, for those that failed, the next ones. */
  async #runAliases(
    account: AccountSettings,
    queries: AliasedQuery[],
    attempt: number,
    options: NewRelicCallOptions,
  ): Promise<Map<string, AliasOutcome>> {
    const outcomes = await this.#sendBatch(account, queries, attempt, options);

    const retryable = queries.flatMap(query => {
      const fault = outcomes.get(query.alias);
      return fault instanceof NewRelicError && fault.retryable
        ? [{ query, fault }]
        : [];
    });
    if (attempt === MAX_ATTEMPTS || retryable.length === 0) return outcomes;

    // A query that ran out of time gets more of it, and a request of its own,
    // so that it cannot hold up the others. The rest goes together again.
    const slow = retryable.filter(
      ({ fault }) => fault.errorClass === 'TIMEOUT',
    );
    const rest = retryable.filter(
      ({ fault }) => fault.errorClass !== 'TIMEOUT',
    );
    const groups = slow.map(({ query, fault }) => ({
      fault,
      queries: [
        {
          ...query,
          timeoutSeconds: Math.min(
            query.timeoutSeconds * 2,
            MAX_QUERY_TIMEOUT_SECONDS,
          ),
        },
      ],
    }));
    if (rest.length > 0) {
      groups.push({
        fault: rest[0].fault,
        queries: rest.map(({ query }) => query),
      });
    }
    const again = await Promise.all(
      groups.map(async group => {
        await this.#backOff(account, group.fault, attempt, options.signal);
        return this.#runAliases(account, group.queries, attempt + 1, options);
      }),
    );
    return new Map([outcomes, ...again].flatMap(map => [...map]));
  }

  async #sendBatch(
    account: AccountSettings,
    queries: AliasedQuery[],
    attempt: number,
    options: NewRelicCallOptions,
  ): Promise<Map<string, AliasOutcome>> {
    const slowest = Math.max(...queries.map(query => query.timeoutSeconds));
    try {
      const answer = await this.#send(
        account,
        buildBatch(account.id, queries),
        Math.max(this.#settings.timeoutMs, slowest * 1000 + HTTP_MARGIN_MS),
        attempt,
        options,
      );
      return readBatch(answer, queries, account.name);
    } catch (error) {
      if (
        !(error instanceof NewRelicError) ||
        error instanceof NewRelicAuthenticationError
      ) {
        throw error;
      }
      return new Map(queries.map(({ alias }) => [alias, error]));
    }
  }

  #send(
    account: AccountSettings,
    request: Request,
    timeoutMs: number,
    attempt: number,
    { signal, onRequest }: NewRelicCallOptions,
  ): Promise<NerdGraphAnswer> {
    return this.#limiters.get(account.key.reveal())!.run(async () => {
      this.#stats.requests += 1;
      if (attempt > 1) this.#stats.retries += 1;
      onRequest?.();
      return postNerdGraph(account, request, {
        timeoutMs,
        maxResponseBytes: this.#settings.maxResponseBytes,
        signal,
      });
    }, signal);
  }

  /** Full jitter, or as long as New Relic asked for within the bound. */
  async #backOff(
    account: AccountSettings,
    fault: NewRelicError,
    attempt: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const ceiling = Math.min(
      BACKOFF_BASE_MS * 2 ** (attempt - 1),
      BACKOFF_CAP_MS,
    );
    const asked = Math.min(
      fault.retryAfterMs ?? 0,
      this.#settings.maxRetryAfterMs,
    );
    const ms = Math.max(asked, Math.round(this.#random() * ceiling));
    this.#logger.debug(
      `Attempt ${attempt} failed, trying again in ${ms} ms: ${fault.message}`,
      { account: account.name },
    );
    await this.#delay(ms, signal);
  }

  #findAccount(name?: string): AccountSettings {
    const { accounts, defaultAccount } = this.#settings;
    const known = accounts.length
      ? `Configured accounts: ${accounts.map(a => a.name).join(', ')}`
      : `No account is configured in newrelic.accounts`;
    if (name === undefined) {
      if (defaultAccount) return defaultAccount;
      throw new NotFoundError(
        `There is no default New Relic account. ${known}${
          accounts.length ? '; give one of them default: true' : ''
        }`,
      );
    }
    const account = accounts.find(candidate => candidate.name === name);
    if (account) return account;
    throw new NotFoundError(
      `There is no New Relic account named '${name}'. ${known}`,
    );
  }
}

function toPublicAccount({
  name,
  id,
  region,
  uiBaseUrl,
}: AccountSettings): NewRelicAccount {
  return { name, id, region, ...(uiBaseUrl ? { uiBaseUrl } : {}) };
}
