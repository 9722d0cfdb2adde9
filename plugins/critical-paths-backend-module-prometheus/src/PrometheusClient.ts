import { CustomErrorBase } from '@backstage/errors';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PrometheusServer, PrometheusSettings } from './config';

const MAX_ATTEMPTS = 3;
const BACKOFF_MS = 500;

/** A request to Prometheus that failed. Its message never holds credentials. */
export class PrometheusError extends CustomErrorBase {
  name = 'PrometheusError';
  /** The same request may succeed a little later. */
  readonly retryable: boolean;
  /** The same question about less may succeed. */
  readonly tooMuch: boolean;
  constructor(
    message: string,
    options: { retryable?: boolean; tooMuch?: boolean } = {},
  ) {
    super(message);
    this.retryable = options.retryable ?? false;
    this.tooMuch = options.tooMuch ?? false;
  }
}

/** One series of a range query. */
export interface MatrixSeries {
  metric: Record<string, string>;
  /** Pairs of epoch seconds and a number as text. */
  values: [number, string][];
}

/** Asks one server, a few requests at a time. */
export class PrometheusClient {
  readonly #server: PrometheusServer;
  readonly #settings: Pick<
    PrometheusSettings,
    'timeoutMs' | 'maxConcurrency' | 'maxResponseBytes'
  >;
  readonly #delay: (ms: number, signal?: AbortSignal) => Promise<unknown>;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(
    server: PrometheusServer,
    settings: Pick<
      PrometheusSettings,
      'timeoutMs' | 'maxConcurrency' | 'maxResponseBytes'
    >,
    delay?: (ms: number, signal?: AbortSignal) => Promise<unknown>,
  ) {
    this.#server = server;
    this.#settings = settings;
    this.#delay = delay ?? ((ms, signal) => sleep(ms, undefined, { signal }));
  }

  /**
   * Range query; tried up to three times.
   *
   * @param range - epoch seconds, both ends included
   * @throws PrometheusError, or the reason of the signal
   */
  async queryRange(
    query: string,
    range: { start: number; end: number; step: number },
    options: { signal?: AbortSignal; onRequest?: () => void } = {},
  ): Promise<MatrixSeries[]> {
    await this.#turn();
    try {
      for (let attempt = 1; ; attempt++) {
        options.signal?.throwIfAborted();
        options.onRequest?.();
        try {
          return await this.#once(query, range, options.signal);
        } catch (error) {
          options.signal?.throwIfAborted();
          if (
            !(error instanceof PrometheusError) ||
            !error.retryable ||
            attempt === MAX_ATTEMPTS
          ) {
            throw error;
          }
        }
        await this.#delay(
          BACKOFF_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2),
          options.signal,
        );
      }
    } finally {
      // The place goes straight to the next in line.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }

  async #turn(): Promise<void> {
    if (this.#running >= this.#settings.maxConcurrency) {
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
  }

  async #once(
    query: string,
    range: { start: number; end: number; step: number },
    signal?: AbortSignal,
  ): Promise<MatrixSeries[]> {
    const { name, baseUrl, headers } = this.#server;
    const { timeoutMs } = this.#settings;
    const where = `Prometheus '${name}'`;
    const controller = new AbortController();
    const onAbort = () => controller.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      controller.abort();
    }, timeoutMs);
    let status: number;
    let text: string;
    try {
      // POST: a list of applications is longer than a URL may be.
      const response = await fetch(`${baseUrl}/api/v1/query_range`, {
        method: 'POST',
        redirect: 'manual',
        signal: controller.signal,
        headers: { Accept: 'application/json', ...headers() },
        body: new URLSearchParams({
          query,
          start: String(range.start),
          end: String(range.end),
          step: String(range.step),
          timeout: `${Math.ceil(timeoutMs / 1000)}s`,
          // Thanos: an answer without some of its stores is no answer.
          partial_response: 'false',
        }),
      });
      status = response.status;
      text = await this.#read(response);
    } catch (error) {
      if (error instanceof PrometheusError) throw error;
      signal?.throwIfAborted();
      if (timedOut) {
        throw new PrometheusError(
          `${where} did not answer within ${timeoutMs / 1000} seconds`,
          { retryable: true },
        );
      }
      const cause = (error as { cause?: { code?: unknown } }).cause?.code;
      throw new PrometheusError(
        `${where} cannot be reached at ${new URL(baseUrl).host}: ${
          typeof cause === 'string' ? cause : 'the connection failed'
        }`,
        { retryable: true },
      );
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
    return this.#parse(where, status, text);
  }

  async #read(response: Response): Promise<string> {
    const limit = this.#settings.maxResponseBytes;
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength;
      if (size > limit) {
        throw new PrometheusError(
          `Prometheus '${
            this.#server.name
          }': the answer is larger than criticalPaths.prometheus.maxResponseBytes (${limit} bytes)`,
          { tooMuch: true },
        );
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #parse(where: string, status: number, text: string): MatrixSeries[] {
    let body: Record<string, any> = {};
    try {
      body = JSON.parse(text) ?? {};
    } catch {
      // What it is instead is told below.
    }
    const told =
      typeof body.error === 'string' ? `: ${body.error.slice(0, 500)}` : '';
    if (status === 401 || status === 403) {
      throw new PrometheusError(
        `${where} refused the credentials (HTTP ${status}); check ${
          this.#server.path
        }.auth in the configuration`,
      );
    }
    if (status < 200 || status > 299) {
      throw new PrometheusError(`${where} answered HTTP ${status}${told}`, {
        retryable: status === 429 || status === 500 || status >= 502,
        tooMuch:
          status === 503 || /too many (samples|points)|exceed/i.test(told),
      });
    }
    if (body.status !== 'success' || body.data?.resultType !== 'matrix') {
      throw new PrometheusError(
        `${where}: the answer is not that of a range query${told}; check ${
          this.#server.path
        }.baseUrl in the configuration`,
      );
    }
    const warnings = Array.isArray(body.warnings)
      ? body.warnings.filter(
          (warning: unknown) => !/^PromQL info/.test(String(warning)),
        )
      : [];
    if (warnings.length > 0) {
      throw new PrometheusError(
        `${where} gave an answer that may lack a part: ${String(
          warnings[0],
        ).slice(0, 500)}`,
        { retryable: true },
      );
    }
    return body.data.result;
  }
}
