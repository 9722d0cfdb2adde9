/** One POST of JSON with a time limit, bounded retries and errors that hold no secret. */
export type PostOptions = {
  /** What stands in an error: "the catalog", "New Relic". */
  what: string;
  headers?: Record<string, string>;
  /** Values that must never be shown, whatever the other side answers. */
  secrets?: string[];
  /** One attempt, milliseconds. */
  timeoutMs?: number;
  attempts?: number;
  /** Before the second attempt; doubles after each. Milliseconds. */
  retryMs?: number;
  log?: (line: string) => void;
};

/** Longer than this nobody waits for a pipeline, whatever Retry-After says. Milliseconds. */
const MAX_WAIT = 30_000;

/** Refusals that may be none a moment later. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

function wait(response: Response | undefined, otherwise: number): number {
  const seconds = Number(response?.headers.get('retry-after') ?? NaN);
  return Math.min(Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : otherwise, MAX_WAIT);
}

/** Address without credentials and query. */
function place(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

type Failure = { name?: string; message?: string; cause?: Failure };

function reason(failure: Failure): string {
  if (failure.name === 'TimeoutError') return 'no answer in time';
  return failure.cause?.message || failure.message || String(failure);
}

/**
 * The parsed answer of a 2xx. Throws an Error that names the address, the status and the beginning of the answer.
 * A token never goes over plain HTTP to another machine.
 */
export async function postJson(address: string, body: unknown, options: PostOptions): Promise<unknown> {
  const { what, secrets = [], timeoutMs = 10_000, attempts = 4, retryMs = 1_000, log = console.log } = options;
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new Error(`The address of ${what} is not a URL`);
  }
  const local = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local)) {
    throw new Error(`The address of ${what} must begin with https://`);
  }
  const clean = (text: string) =>
    secrets.filter(Boolean).reduce((rest, secret) => rest.replaceAll(secret, '***'), text);

  for (let attempt = 1; ; attempt += 1) {
    let response: Response | undefined;
    let problem: string;
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', ...options.headers },
        body: JSON.stringify(body),
        // A redirect would carry the token to somebody else.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      if (response.ok) {
        try {
          return text ? JSON.parse(text) : undefined;
        } catch {
          throw new Error(`${what} (${place(url)}) answered ${response.status} with something that is not JSON`);
        }
      }
      problem = `${response.status} ${clean(text).slice(0, 500)}`.trim();
      if (!PASSING.has(response.status)) throw new Error(`${what} (${place(url)}) refused: ${problem}`);
    } catch (error) {
      const failure = error as Failure;
      // Before the end of the answer: the line is bad, not the request.
      if (response && failure.name !== 'TimeoutError' && failure.name !== 'TypeError') throw error;
      problem = clean(reason(failure));
    }
    if (attempt >= attempts) {
      throw new Error(`${what} (${place(url)}) could not be reached in ${attempts} attempts: ${problem}`);
    }
    const pause = wait(response, retryMs * 2 ** (attempt - 1));
    log(`${what}: ${problem}; again in ${pause} ms`);
    await new Promise(resolve => setTimeout(resolve, pause));
  }
}
