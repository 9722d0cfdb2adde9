import { setTimeout as pause } from 'node:timers/promises';
import { AwayError, RefusedError, UsageError } from './errors';

export interface HttpOptions {
  /** One attempt, milliseconds. */
  timeoutMs: number;
  attempts: number;
  /** All attempts and the waiting between them, milliseconds. */
  patienceMs: number;
  /** Pause before the second attempt; doubles after each, with jitter. Milliseconds. */
  backoffMs: number;
}

export const HTTP_DEFAULTS: HttpOptions = {
  timeoutMs: 20_000,
  attempts: 5,
  patienceMs: 60_000,
  backoffMs: 500,
};

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: URL;
  /** Sent as a bearer token. */
  token: string;
  body?: unknown;
  /** Stands in errors, for example "Rocket". */
  what: string;
}

/** Answers longer than this are none of ours. */
const MAX_ANSWER_BYTES = 20 * 1024 * 1024;

/** Refusals that may be none a moment later. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Address without credentials and query. */
export function place(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** Reads an address to which a token may go: HTTPS, or this machine. */
export function safeUrl(address: string, name: string): URL {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new UsageError(
      `${name} must be an address such as https://rocket.example.com`,
    );
  }
  const local = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local))
    throw new UsageError(
      `${name} must begin with https://; a token does not travel in the clear`,
    );
  if (url.username || url.password)
    throw new UsageError(`${name} must not carry a user and password`);
  return url;
}

/** Milliseconds that `Retry-After` asks for: seconds, or a date. */
export function retryAfter(
  header: string | null,
  now: number,
): number | undefined {
  if (!header) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

async function readAnswer(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What an error answer says: Backstage's `{error: {message}}`, or its beginning. */
function messageOf(text: string): string {
  try {
    const { error, message } = JSON.parse(text);
    const said = error?.message ?? message;
    if (typeof said === 'string') return said;
  } catch {
    // Not JSON.
  }
  return /^\s*</.test(text) ? 'an HTML page' : text.slice(0, 500);
}

function reasonOf(error: any): string {
  if (error?.name === 'TimeoutError') return 'no answer in time';
  return error?.cause?.message || error?.message || String(error);
}

/**
 * The parsed JSON of a 2xx. Tries again, with bounds, what may go well a moment later, and never earlier than `Retry-After` says.
 *
 * @throws RefusedError for an answer that will not change; AwayError when nobody answered within the bounds.
 */
export async function request(
  call: HttpRequest,
  options: HttpOptions,
  log: (line: string) => void,
): Promise<any> {
  const { what, url } = call;
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  const deadline = Date.now() + options.patienceMs;
  for (let attempt = 1; ; attempt += 1) {
    let problem: string;
    let asked: number | undefined;
    try {
      const response = await fetch(url, {
        method: call.method,
        headers: {
          accept: 'application/json',
          authorization: `Bearer ${call.token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body,
        // A redirect would carry the token to somebody else.
        redirect: 'manual',
        signal: AbortSignal.timeout(
          Math.max(1, Math.min(options.timeoutMs, deadline - Date.now())),
        ),
      });
      const text = await readAnswer(response);
      if (response.ok) return parseAnswer(text, response.status, call);
      problem = `${response.status} ${messageOf(text)}`.trim();
      if (!PASSING.has(response.status))
        throw new RefusedError(
          `${what} (${place(url)}) refused: ${
            response.status >= 300 && response.status < 400
              ? `${response.status}, it sends the caller elsewhere; set ROCKET_URL to the right address`
              : problem
          }`,
          response.status,
        );
      asked = retryAfter(response.headers.get('retry-after'), Date.now());
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      problem = reasonOf(error);
    }
    const wait =
      asked ??
      options.backoffMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
    if (attempt >= options.attempts || Date.now() + wait >= deadline)
      throw new AwayError(
        `${what} (${place(url)}) is away after ${attempt} ${
          attempt === 1 ? 'attempt' : 'attempts'
        }: ${problem}${
          asked === undefined
            ? ''
            : `; it asked to come back in ${asked / 1000} s`
        }`,
      );
    log(`${what}: ${problem}; again in ${Math.round(wait)} ms`);
    await pause(wait);
  }
}

function parseAnswer(text: string, status: number, call: HttpRequest): any {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    throw new RefusedError(
      `${call.what} (${place(
        call.url,
      )}) answered ${status} with something that is not JSON; is it Rocket's backend?`,
      status,
    );
  }
}
