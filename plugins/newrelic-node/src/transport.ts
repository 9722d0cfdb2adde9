import type { AccountSettings } from './config';
import {
  NewRelicAuthenticationError,
  NewRelicError,
  parseNerdGraphErrors,
} from './errors';
import type { NerdGraphError } from './types';

/** A GraphQL answer; HTTP said 200. */
export interface NerdGraphAnswer {
  data: unknown;
  errors: NerdGraphError[];
}

export interface TransportOptions {
  timeoutMs: number;
  maxResponseBytes: number;
  signal?: AbortSignal;
}

/** Reads `Retry-After`, in seconds or as a date, as milliseconds from now. */
function readRetryAfter(header: string | null): number | undefined {
  if (!header) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

async function readBody(response: Response, limit: number): Promise<string> {
  const tooLarge = () =>
    new NewRelicError(
      `New Relic's answer is larger than newrelic.maxResponseBytes (${limit} bytes); ` +
        `ask for fewer facets or a shorter window`,
      { kind: 'response' },
    );
  if (!response.body) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    // Leaving the loop cancels the rest of the body.
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function describeNetworkError(error: unknown): string {
  const cause = (error as { cause?: { code?: unknown } })?.cause;
  const code = cause?.code ?? (error as { code?: unknown })?.code;
  return typeof code === 'string' ? code : 'the connection failed';
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function toAnswer(
  account: AccountSettings,
  response: Response,
  text: string,
): NerdGraphAnswer {
  const { status } = response;
  const where = `New Relic account '${account.name}'`;
  // Masked before parsing, so an echoed key cannot surface in any string.
  const body = parseJson(account.key.redact(text));
  const errors = parseNerdGraphErrors(body?.errors, value =>
    account.key.redact(value),
  );

  if (
    status === 401 ||
    errors.some(({ errorClass }) => errorClass === 'BAD_API_KEY')
  ) {
    throw new NewRelicAuthenticationError(account);
  }
  if (status >= 300 && status < 400) {
    // The key must not follow to another host.
    throw new NewRelicError(
      `${where}: the endpoint answered with a redirect (HTTP ${status}), which is not followed; check its endpoint in the configuration`,
      { kind: 'response' },
    );
  }
  if (status < 200 || status > 299) {
    const detail = errors[0] ? `: ${errors[0].message}` : '';
    const throttled = status === 429;
    throw new NewRelicError(`${where} answered HTTP ${status}${detail}`, {
      kind: throttled ? 'throttled' : 'server',
      retryable: throttled || status === 500 || status >= 502,
      retryAfterMs: readRetryAfter(response.headers.get('retry-after')),
      errors,
    });
  }
  if (!body || (body.data === undefined && !Array.isArray(body.errors))) {
    throw new NewRelicError(
      `${where}: the answer is not a GraphQL answer; check its endpoint in the configuration`,
      { kind: 'response' },
    );
  }
  return { data: body.data ?? null, errors };
}

/**
 * Makes one HTTP request to NerdGraph, without retries.
 *
 * @throws NewRelicError, or the reason of the caller's signal
 */
export async function postNerdGraph(
  account: AccountSettings,
  request: { query: string; variables?: Record<string, unknown> },
  options: TransportOptions,
): Promise<NerdGraphAnswer> {
  const { signal, timeoutMs } = options;
  signal?.throwIfAborted();

  // A controller of our own rather than AbortSignal.any(): it leaves nothing
  // behind on a caller's signal that lives as long as the process.
  const controller = new AbortController();
  const onAbort = () => controller.abort();
  signal?.addEventListener('abort', onAbort, { once: true });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort();
  }, timeoutMs);

  let response: Response;
  let text: string;
  try {
    response = await fetch(account.endpoint, {
      method: 'POST',
      redirect: 'manual',
      signal: controller.signal,
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/json',
        'API-Key': account.key.reveal(),
        'NewRelic-Requesting-Services': 'rocket',
        // Without it the fields about issues and incidents are refused.
        'nerd-graph-unsafe-experimental-opt-in': 'AiIssues',
      },
      body: JSON.stringify({
        query: request.query,
        variables: request.variables ?? {},
      }),
    });
    text = await readBody(response, options.maxResponseBytes);
  } catch (error) {
    if (error instanceof NewRelicError) throw error;
    signal?.throwIfAborted();
    if (timedOut) {
      throw new NewRelicError(
        `New Relic account '${account.name}' did not answer within ${
          timeoutMs / 1000
        } seconds`,
        { kind: 'timeout', retryable: true },
      );
    }
    throw new NewRelicError(
      `New Relic account '${account.name}' cannot be reached at ${
        new URL(account.endpoint).host
      }: ${describeNetworkError(error)}`,
      { kind: 'network', retryable: true },
    );
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
  return toAnswer(account, response, text);
}
