import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AuthService,
  BackstageCredentials,
  DiscoveryService,
} from '@backstage/backend-plugin-api';
import {
  AuthenticationError,
  ForwardedError,
  InputError,
  NotAllowedError,
  NotFoundError,
  ResponseError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type {
  ChangeReport,
  CriticalPathsService,
  IncidentsRequest,
  IncidentsResponse,
  SignalsRequest,
  SignalsResponse,
} from './criticalPathsService';

type Options = { credentials: BackstageCredentials };

const ATTEMPTS = 3;
const ERRORS: Record<number, new (message: string) => Error> = {
  400: InputError,
  401: AuthenticationError,
  403: NotAllowedError,
  404: NotFoundError,
  502: ServiceUnavailableError,
  503: ServiceUnavailableError,
  504: ServiceUnavailableError,
};

/**
 * `CriticalPathsService` over the plugin's HTTP API. Every call may be repeated
 * without harm, so it is tried up to three times when the plugin does not
 * answer or says 502 to 504. Errors keep their class and their words.
 */
export class HttpCriticalPathsService implements CriticalPathsService {
  readonly #auth: AuthService;
  readonly #discovery: DiscoveryService;
  readonly #timeoutMs: number;
  readonly #retryDelayMs: number;

  constructor(options: {
    auth: AuthService;
    discovery: DiscoveryService;
    /** Per attempt. Default: 15 s. */
    timeoutMs?: number;
    /** Before the second attempt, doubled before the third. Default: 500 ms. */
    retryDelayMs?: number;
  }) {
    this.#auth = options.auth;
    this.#discovery = options.discovery;
    this.#timeoutMs = options.timeoutMs ?? 15_000;
    this.#retryDelayMs = options.retryDelayMs ?? 500;
  }

  async recordChange(change: ChangeReport, options: Options): Promise<void> {
    await this.#call('/service/changes', change, options);
  }

  async readSignals(
    request: SignalsRequest,
    options: Options,
  ): Promise<SignalsResponse> {
    return this.#call<SignalsResponse>('/service/signals', request, options);
  }

  async readIncidents(
    request: IncidentsRequest,
    options: Options,
  ): Promise<IncidentsResponse> {
    return this.#call<IncidentsResponse>(
      '/service/incidents',
      request,
      options,
    );
  }

  async #call<T>(path: string, body: unknown, options: Options): Promise<T> {
    const baseUrl = await this.#discovery.getBaseUrl('critical-paths');
    for (let attempt = 1; ; attempt++) {
      const { token } = await this.#auth.getPluginRequestToken({
        onBehalfOf: options.credentials,
        targetPluginId: 'critical-paths',
      });
      let failure: Error;
      try {
        const response = await fetch(`${baseUrl}${path}`, {
          method: 'POST',
          headers: {
            Authorization: `Bearer ${token}`,
            'Content-Type': 'application/json',
          },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(this.#timeoutMs),
        });
        if (response.ok) {
          return (
            response.status === 204 ? undefined : await response.json()
          ) as T;
        }
        const told = await ResponseError.fromResponse(response);
        const Told = ERRORS[response.status];
        failure = Told ? new Told(told.cause.message || told.message) : told;
      } catch (error) {
        failure = new ServiceUnavailableError(
          'The critical-paths plugin does not answer',
          new ForwardedError('the request failed', error),
        );
      }
      if (
        attempt === ATTEMPTS ||
        !(failure instanceof ServiceUnavailableError)
      ) {
        throw failure;
      }
      await sleep(this.#retryDelayMs * 2 ** (attempt - 1));
    }
  }
}
