import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AuthService,
  BackstageCredentials,
  DiscoveryService,
} from '@backstage/backend-plugin-api';
import { parseEntityRef } from '@backstage/catalog-model';
import {
  AuthenticationError,
  ConflictError,
  ForwardedError,
  InputError,
  NotAllowedError,
  NotFoundError,
  ResponseError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type {
  AcknowledgeRequest,
  BuildPage,
  ClaimedChanges,
  PushRequest,
  PushResponse,
  RegisterRequest,
  RegisterResponse,
  RegisteredEntity,
  RegisteredEntityPage,
  ValidateResponse,
} from '@rocket/plugin-ci-registry-common';
import type { CiRegistryService } from './ciRegistryService';

type Options = { credentials: BackstageCredentials };

const ATTEMPTS = 3;

function toQuery(request: Record<string, string | number | undefined>) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(request)) {
    if (value !== undefined) query.set(key, String(value));
  }
  return query;
}

/** Keeps the kind of error and its words across the wire. */
async function toServiceError(response: Response): Promise<Error> {
  const failure = await ResponseError.fromResponse(response);
  const message = failure.cause.message || failure.message;
  switch (response.status) {
    case 400:
    case 413:
      return new InputError(message);
    case 401:
      return new AuthenticationError(message);
    case 403:
      return new NotAllowedError(message);
    case 404:
      return new NotFoundError(message);
    case 409:
      return new ConflictError(message);
    case 429:
    case 502:
    case 503:
    case 504:
      return new ServiceUnavailableError(message);
    default:
      return failure;
  }
}

/**
 * Calls the registry for the given credentials. Every call can be repeated safely, so
 * it tries up to three times when the registry does not answer or says 429 or 502 to 504.
 */
export class HttpCiRegistryService implements CiRegistryService {
  readonly #auth: AuthService;
  readonly #discovery: DiscoveryService;
  readonly #timeoutMs: number;
  readonly #retryDelayMs: number;

  constructor(options: {
    auth: AuthService;
    discovery: DiscoveryService;
    /** Per attempt. Default: 20 s. */
    timeoutMs?: number;
    /** Before the second attempt, doubled before the third. Default: 500 ms. */
    retryDelayMs?: number;
  }) {
    this.#auth = options.auth;
    this.#discovery = options.discovery;
    this.#timeoutMs = options.timeoutMs ?? 20_000;
    this.#retryDelayMs = options.retryDelayMs ?? 500;
  }

  async push(request: PushRequest, options: Options) {
    return this.#call<PushResponse>('POST', '/pushes', options, request);
  }

  async validate(request: PushRequest, options: Options) {
    return this.#call<ValidateResponse>('POST', '/validate', options, request);
  }

  async register(request: RegisterRequest, options: Options) {
    return this.#call<RegisterResponse>('POST', '/entities', options, request);
  }

  async getEntity(entityRef: string, options: Options) {
    const { kind, namespace, name } = parseEntityRef(entityRef, {
      defaultNamespace: 'default',
    });
    const path = [kind, namespace, name].map(encodeURIComponent).join('/');
    try {
      return await this.#call<RegisteredEntity>(
        'GET',
        `/entities/${path}`,
        options,
      );
    } catch (error) {
      if (error instanceof Error && error.name === 'NotFoundError') {
        return undefined;
      }
      throw error;
    }
  }

  async listEntities(
    request: { cursor?: string; limit?: number; repository?: string },
    options: Options,
  ) {
    return this.#call<RegisteredEntityPage>(
      'GET',
      `/entities?${toQuery(request)}`,
      options,
    );
  }

  async listBuilds(
    request: { component?: string; commit?: string; cursor?: string },
    options: Options,
  ) {
    return this.#call<BuildPage>('GET', `/builds?${toQuery(request)}`, options);
  }

  async claimChanges(request: { limit?: number }, options: Options) {
    return this.#call<ClaimedChanges>(
      'POST',
      '/changes/claim',
      options,
      request,
    );
  }

  async acknowledgeChanges(request: AcknowledgeRequest, options: Options) {
    await this.#call('POST', '/changes/acknowledge', options, request);
  }

  async repeatChanges(options: Options) {
    return this.#call<{ queued: number }>(
      'POST',
      '/changes/repeat',
      options,
      {},
    );
  }

  async #call<T>(
    method: 'GET' | 'POST',
    path: string,
    options: Options,
    body?: unknown,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt<T>(method, path, options, body);
      } catch (error) {
        const away =
          error instanceof Error && error.name === 'ServiceUnavailableError';
        if (!away || attempt === ATTEMPTS) {
          throw error;
        }
        await sleep(this.#retryDelayMs * 2 ** (attempt - 1));
      }
    }
  }

  async #attempt<T>(
    method: 'GET' | 'POST',
    path: string,
    options: Options,
    body: unknown,
  ): Promise<T> {
    const baseUrl = await this.#discovery.getBaseUrl('ci-registry');
    const { token } = await this.#auth.getPluginRequestToken({
      onBehalfOf: options.credentials,
      targetPluginId: 'ci-registry',
    });
    let response: Response;
    try {
      response = await fetch(`${baseUrl}${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
    } catch (error) {
      throw new ServiceUnavailableError(
        'The CI registry does not answer; nothing is known to be stored, so push again',
        error instanceof Error
          ? new ForwardedError('Request failed', error)
          : undefined,
      );
    }
    if (!response.ok) {
      throw await toServiceError(response);
    }
    return response.status === 204 ? (undefined as T) : response.json();
  }
}
