import type { LoggerService } from '@backstage/backend-plugin-api';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Connection, Request } from './connection';
import { errorOfAnswer, KubernetesError } from './errors';
import { readStatus } from './status';
import type { CallOptions } from './types';

export interface Call extends Omit<Request, 'signal'> {
  /** For people: `apply apps/v1 Deployment payments/ledger`. */
  action: string;
  /** The call may be repeated: doing it twice is as doing it once. */
  idempotent: boolean;
  /** The object is a Secret. */
  secret?: boolean;
}

export interface CallerOptions {
  cluster: string;
  connection: Connection;
  logger: LoggerService;
  /** For tests. */
  random?: () => number;
  delay?: (ms: number, signal?: AbortSignal) => Promise<unknown>;
}

const TIMEOUT_MS = 15_000;
const ATTEMPTS = 4;
const BACKOFF_BASE_MS = 250;
const BACKOFF_CAP_MS = 5_000;
/** A server that asks for more is given up on. */
const MAX_RETRY_AFTER_MS = 30_000;
/** Codes of sockets and TLS; their text may hold what nobody checked. */
const SAFE_CODE = /^[A-Z][A-Z0-9_]{2,60}$/;

function readRetryAfter(header?: string): number | undefined {
  if (!header) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Full jitter: anything from nothing to a ceiling that doubles. */
export function backOffMs(attempt: number, random: number, capMs: number) {
  return Math.round(
    random * Math.min(BACKOFF_BASE_MS * 2 ** (attempt - 1), capMs),
  );
}

/** Calls of one cluster: timeouts, retries, and errors in our words. */
export class Caller {
  readonly cluster: string;
  readonly connection: Connection;
  readonly #logger: LoggerService;
  readonly #random: () => number;
  readonly #delay: NonNullable<CallerOptions['delay']>;

  constructor(options: CallerOptions) {
    this.cluster = options.cluster;
    this.connection = options.connection;
    this.#logger = options.logger;
    this.#random = options.random ?? Math.random;
    this.#delay =
      options.delay ?? ((ms, signal) => sleep(ms, undefined, { signal }));
  }

  /** The answer, a success. `body` is its JSON. */
  async json<T>(call: Call, options: CallOptions = {}) {
    const answer = await this.text(call, options);
    try {
      return { ...answer, body: JSON.parse(answer.body) as T };
    } catch {
      throw new KubernetesError(
        `Cluster '${this.cluster}' did not answer in JSON to ${call.action}; is its url that of an API server?`,
        { kind: 'response', cluster: this.cluster, status: answer.status },
      );
    }
  }

  async text(call: Call, options: CallOptions = {}): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const failure = await this.#attempt(call, options);
      if (!(failure instanceof KubernetesError)) return failure;
      const asked = failure.retryAfterMs ?? 0;
      if (
        !failure.retryable ||
        !call.idempotent ||
        attempt === ATTEMPTS ||
        asked > MAX_RETRY_AFTER_MS
      )
        throw failure;
      const ms = Math.max(
        asked,
        backOffMs(attempt, this.#random(), BACKOFF_CAP_MS),
      );
      this.#logger.debug(
        `Attempt ${attempt} failed, trying again in ${ms} ms: ${failure.message}`,
        { cluster: this.cluster },
      );
      await this.#delay(ms, options.signal);
    }
  }

  /** One try. Only what the caller's own signal causes is thrown. */
  async #attempt(
    call: Call,
    { signal, timeoutMs = TIMEOUT_MS }: CallOptions,
  ): Promise<Answer | KubernetesError> {
    signal?.throwIfAborted();
    const timeout = AbortSignal.timeout(timeoutMs);
    let answer: Answer;
    try {
      answer = await this.connection.send({
        ...call,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
    } catch (error) {
      signal?.throwIfAborted();
      return timeout.aborted
        ? this.#noAnswer(call, 'timeout', `within ${timeoutMs / 1000} s`)
        : this.failureOf(call.action, error);
    }
    if (answer.status >= 200 && answer.status < 300) return answer;
    return errorOfAnswer(
      answer.status,
      readStatus(answer.body, text => this.connection.redact(text)),
      {
        cluster: this.cluster,
        action: call.action,
        secret: call.secret,
        retryAfterMs: readRetryAfter(answer.headers['retry-after']),
      },
    );
  }

  /** A call that had no answer at all. */
  failureOf(action: string, error: unknown): KubernetesError {
    const { code, cause, path, type } = (error ?? {}) as {
      code?: unknown;
      cause?: { code?: unknown };
      path?: unknown;
      type?: unknown;
    };
    const found = [code, cause?.code].find(
      candidate => typeof candidate === 'string' && SAFE_CODE.test(candidate),
    ) as string | undefined;
    if (type === 'request-timeout')
      return this.#noAnswer({ action }, 'timeout', 'in time');
    if (typeof path === 'string' && found)
      return new KubernetesError(
        `Cluster '${this.cluster}' cannot be asked to ${action}: the file ${path} cannot be read (${found}). ` +
          `Check its caFile, or set serviceAccountToken when Rocket runs outside of the cluster`,
        { kind: 'unauthorized', cluster: this.cluster },
      );
    const tls = found && /CERT|TLS|SSL|ISSUER|SIGNATURE/.test(found);
    return this.#noAnswer(
      { action },
      'network',
      `(${found ?? 'the connection broke'})${
        tls ? `. Check the cluster's caData or caFile` : ''
      }`,
      !tls,
    );
  }

  #noAnswer(
    { action }: Pick<Call, 'action'>,
    kind: 'network' | 'timeout',
    how: string,
    retryable = true,
  ): KubernetesError {
    return new KubernetesError(
      `Cluster '${this.cluster}' gave no answer to ${action} ${how}`,
      { kind, cluster: this.cluster, retryable },
    );
  }
}
