import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { StoredEvent } from '../store/EventStore';
import { HttpError, discardRest, parseJson, readBody, sendJson } from '../http';
import { parseEventApi, type Parsed } from './eventApi';
import { accountOf } from './keys';
import { parseMetricApi } from './metricApi';
import type { IngestStore, SandboxLogger } from './types';

const EVENTS_PATH = /^\/v1\/accounts\/([^/]+)\/events\/?$/;
const METRICS_PATH = /^\/metric\/v1\/?$/;

export interface IngestOptions {
  store: IngestStore;
  /** Requests per account and API and minute before 429. Default 100 000. */
  requestsPerMinute?: number;
  /** How long a body may take to arrive, in milliseconds. Default 10 000. */
  bodyTimeoutMs?: number;
  logger?: SandboxLogger;
  now?: () => number;
}

/** Answers a request and resolves to true, or resolves to false when the path is not its own. */
export type IngestHandler = (
  req: IncomingMessage,
  res: ServerResponse,
) => Promise<boolean>;

/** Counts requests per key and clock minute. */
class Limiter {
  #minute = 0;
  #counts = new Map<string, number>();

  constructor(readonly limit: number) {}

  take(key: string, now: number): boolean {
    const minute = Math.floor(now / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#counts = new Map();
    }
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count <= this.limit;
  }
}

/**
 * The Event API (`POST /v1/accounts/<id>/events`) and the Metric API
 * (`POST /metric/v1`). Both take a license key in `Api-Key`, JSON, plain or
 * compressed, of at most 1 MB. What is wrong with single events becomes
 * `NrIntegrationError` events in the account, as at New Relic; the request
 * itself is still answered with 200 or 202.
 */
export function createIngestHandler(options: IngestOptions): IngestHandler {
  const now = options.now ?? Date.now;
  const limiter = new Limiter(options.requestsPerMinute ?? 100_000);
  const limits = {
    maxBytes: 1_000_000,
    maxInflatedBytes: 20_000_000,
    timeoutMs: options.bodyTimeoutMs ?? 10_000,
  };

  const receive = async (
    req: IncomingMessage,
    api: 'Event API' | 'Metric API',
    accountInPath?: string,
  ): Promise<void> => {
    const account = accountOf(options.store, keyOf(req));
    if (
      !account ||
      (accountInPath !== undefined && accountInPath !== String(account.id))
    ) {
      throw new HttpError(
        403,
        'The license key is missing or does not belong to this account',
      );
    }
    if (req.method !== 'POST') {
      throw new HttpError(405, 'Use POST');
    }
    const type = req.headers['content-type'];
    if (type && !/^application\/json\s*(;|$)/i.test(type)) {
      throw new HttpError(415, 'Content-Type must be application/json');
    }
    if (!limiter.take(`${api} ${account.id}`, now())) {
      throw new HttpError(429, 'Too many requests in this minute');
    }
    const body = await readBody(req, limits);
    if (body.length === 0) {
      throw new HttpError(400, 'The body is empty');
    }
    let parsed: Parsed;
    if (api === 'Metric API') {
      const payload = parseJson(body);
      try {
        parsed = parseMetricApi(payload, now());
      } catch (error) {
        throw new HttpError(400, (error as Error).message);
      }
    } else {
      // The Event API says yes first and looks into the body later.
      try {
        parsed = parseEventApi(parseJson(body), now());
      } catch (error) {
        parsed = { events: [], problems: [(error as Error).message] };
      }
    }
    options.store.append(account.id, [
      ...parsed.events,
      ...parsed.problems.map(message => integrationError(api, message, now())),
    ]);
  };

  return async (req, res) => {
    const path = (req.url ?? '').split('?', 1)[0];
    const events = EVENTS_PATH.exec(path);
    if (!events && !METRICS_PATH.test(path)) {
      return false;
    }
    try {
      if (events) {
        await receive(req, 'Event API', events[1]);
        sendJson(res, 200, { success: true, uuid: randomUUID() });
      } else {
        await receive(req, 'Metric API');
        sendJson(res, 202, { requestId: randomUUID() });
      }
    } catch (error) {
      const status = error instanceof HttpError ? error.status : 500;
      if (status === 500) {
        options.logger?.warn(`Telemetry could not be stored: ${error}`);
      }
      sendJson(res, status, {
        error: status === 500 ? 'Internal error' : (error as Error).message,
      });
    } finally {
      discardRest(req);
    }
    return true;
  };
}

function keyOf(req: IncomingMessage): string | undefined {
  for (const name of ['api-key', 'x-license-key', 'x-insert-key']) {
    const value = req.headers[name];
    if (typeof value === 'string' && value) {
      return value;
    }
  }
  return undefined;
}

function integrationError(
  api: 'Event API' | 'Metric API',
  message: string,
  timestamp: number,
): StoredEvent {
  return {
    eventType: 'NrIntegrationError',
    timestamp,
    attributes: {
      newRelicFeature: api,
      category:
        api === 'Event API' ? 'EventApiException' : 'MetricApiException',
      level: 'error',
      message,
    },
  };
}
