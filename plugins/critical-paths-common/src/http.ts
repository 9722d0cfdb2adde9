import { ResponseError } from '@backstage/errors';

/** Options of every call. */
export interface CallOptions {
  /** Sent as a bearer token; a portal's own `fetch` brings the sign-in by itself. */
  token?: string;
  signal?: AbortSignal;
}

/** One request of the API. */
export interface Call {
  method?: 'GET' | 'POST' | 'DELETE';
  query?: Record<string, string | string[] | number | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  yaml?: string;
  /** Default: JSON. */
  as?: 'text';
}

/** Where a caller finds the API. */
export interface CallerOptions {
  fetchApi: { fetch: typeof fetch };
  baseUrl: () => Promise<string>;
  timeoutMs: number;
}

/**
 * Sends one request and reads the whole answer within the timeout.
 *
 * @throws ResponseError for an answer that is none of success, the error of
 * `fetch` without an answer, and a `TimeoutError` when it takes too long
 */
export async function send<T>(
  caller: CallerOptions,
  segments: string[],
  options: CallOptions,
  call: Call,
): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(call.query ?? {})) {
    for (const item of [value ?? []].flat()) {
      query.append(name, String(item));
    }
  }
  const search = query.toString();
  const path = segments.map(encodeURIComponent).join('/');
  const headers: Record<string, string> = {};
  if (options.token) {
    headers.authorization = `Bearer ${options.token}`;
  }
  if (call.yaml !== undefined) {
    headers['content-type'] = 'application/yaml';
  } else if (call.body !== undefined) {
    headers['content-type'] = 'application/json';
  }
  const controller = new AbortController();
  const timer = setTimeout(
    () =>
      controller.abort(
        new DOMException(
          `Critical paths did not answer within ${caller.timeoutMs} ms`,
          'TimeoutError',
        ),
      ),
    caller.timeoutMs,
  );
  const forward = () => controller.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', forward);
  if (options.signal?.aborted) {
    forward();
  }
  try {
    const response = await caller.fetchApi.fetch(
      `${await caller.baseUrl()}/${path}${search && `?${search}`}`,
      {
        method: call.method ?? 'GET',
        headers,
        body:
          call.yaml ??
          (call.body === undefined ? undefined : JSON.stringify(call.body)),
        signal: controller.signal,
      },
    );
    if (!response.ok) {
      throw await ResponseError.fromResponse(response);
    }
    return (await (call.as === 'text'
      ? response.text()
      : response.json())) as T;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', forward);
  }
}
