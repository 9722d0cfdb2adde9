import { setTimeout as delay } from 'node:timers/promises';
import type {
  AuthService,
  BackstageCredentials,
  DiscoveryService,
} from '@backstage/backend-plugin-api';
import {
  ConflictError,
  InputError,
  NotAllowedError,
  NotFoundError,
  NotImplementedError,
  ResponseError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type {
  DeployRequest,
  Effect,
  EffectEvent,
  EffectRequest,
  GitToken,
  IsolationReport,
  Environment,
  NameAvailability,
  NewRelicPlan,
  NewRelicPlanRequest,
  Operation,
  OperationPlan,
  OperationRequest,
  PlanRequest,
  PreflightReport,
  Repository,
  ServiceLog,
  ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import type { EffectQuery, ProvisioningService } from './provisioningService';

const TIMEOUT_MS = 30_000;
/** A preflight asks several systems. */
const PREFLIGHT_TIMEOUT_MS = 60_000;
/** Most effects are made at once; the others are asked for less and less often. */
const FIRST_POLL_MS = 25;
const POLL_MS = 500;
/** Polls in a row without an answer before waiting is given up. */
const MAX_MISSED_POLLS = 20;

const errorClasses = {
  ConflictError,
  InputError,
  NotAllowedError,
  NotFoundError,
  NotImplementedError,
  ServiceUnavailableError,
};

interface Options {
  credentials: BackstageCredentials;
}

/** `ProvisioningService` over the plugin's HTTP API. Errors keep their class: a 409 is a `ConflictError` here too. */
export class ProvisioningClient implements ProvisioningService {
  readonly #auth: AuthService;
  readonly #discovery: DiscoveryService;

  constructor(deps: { auth: AuthService; discovery: DiscoveryService }) {
    this.#auth = deps.auth;
    this.#discovery = deps.discovery;
  }

  checkName(name: string, options: Options) {
    return this.#call<NameAvailability>(
      'GET',
      `/names/${encodeURIComponent(name)}`,
      options,
    );
  }

  createRepository(
    request: {
      name: string;
      owner: string;
      description?: string;
      requestId?: string;
    },
    options: Options,
  ) {
    return this.#call<Repository>('POST', '/repositories', options, request);
  }

  getRepository(name: string, options: Options) {
    return this.#call<Repository>(
      'GET',
      `/repositories/${encodeURIComponent(name)}`,
      options,
    );
  }

  createGitToken(
    request: { repository: string; access: 'read' | 'write' },
    options: Options,
  ) {
    return this.#call<GitToken>('POST', '/git-tokens', options, request);
  }

  deploy(request: DeployRequest, options: Options) {
    return this.#call<ServiceStatus>('POST', '/services', options, request);
  }

  async listServices(options: Options) {
    const { items } = await this.#call<{ items: ServiceStatus[] }>(
      'GET',
      '/services',
      options,
    );
    return items;
  }

  getService(name: string, options: Options) {
    return this.#call<ServiceStatus>(
      'GET',
      `/services/${encodeURIComponent(name)}`,
      options,
    );
  }

  getLog(
    name: string,
    request: { after?: number; limit?: number },
    options: Options,
  ) {
    const query = new URLSearchParams();
    if (request.after !== undefined) query.set('after', String(request.after));
    if (request.limit !== undefined) query.set('limit', String(request.limit));
    return this.#call<ServiceLog>(
      'GET',
      `/services/${encodeURIComponent(name)}/log?${query}`,
      options,
    );
  }

  preflight(request: { effects: EffectRequest[] }, options: Options) {
    return this.#call<PreflightReport>(
      'POST',
      '/preflight',
      options,
      request,
      PREFLIGHT_TIMEOUT_MS,
    );
  }

  requestEffect(
    request: EffectRequest & { deferred?: boolean },
    options: Options,
  ) {
    return this.#call<Effect>('POST', '/effects', options, request);
  }

  async waitForEffect(
    id: string,
    options: Options & {
      signal?: AbortSignal;
      onProgress?: (message: string) => void;
    },
  ) {
    const { signal, onProgress } = options;
    let missed = 0;
    let said: string | undefined;
    let pauseMs = FIRST_POLL_MS;
    for (;;) {
      signal?.throwIfAborted();
      try {
        const effect = await this.getEffect(id, options);
        missed = 0;
        if (effect.state === 'live') return effect;
        if (effect.message && effect.message !== said) {
          said = effect.message;
          if (effect.state !== 'failed') onProgress?.(said);
        }
        if (!['planned', 'applying'].includes(effect.state)) {
          throw new ConflictError(
            `${effect.type} ${effect.reference} is ${effect.state}: ${
              effect.message ?? effect.instruction ?? 'no reason was given'
            }`,
          );
        }
      } catch (error) {
        if ((error as Error).name !== 'ServiceUnavailableError') throw error;
        missed += 1;
        if (missed > MAX_MISSED_POLLS) throw error;
      }
      await delay(pauseMs, undefined, { signal });
      pauseMs = Math.min(2 * pauseMs, POLL_MS);
    }
  }

  async listEffects(query: EffectQuery, options: Options) {
    const parameters = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) {
      for (const item of [value].flat()) {
        if (item !== undefined) parameters.append(key, String(item));
      }
    }
    const { items } = await this.#call<{ items: Effect[] }>(
      'GET',
      `/effects?${parameters}`,
      options,
    );
    return items;
  }

  getEffect(id: string, options: Options) {
    return this.#call<Effect>(
      'GET',
      `/effects/${encodeURIComponent(id)}`,
      options,
    );
  }

  async listEffectEvents(id: string, options: Options) {
    const { items } = await this.#call<{ items: EffectEvent[] }>(
      'GET',
      `/effects/${encodeURIComponent(id)}/events`,
      options,
    );
    return items;
  }

  observeEffect(id: string, options: Options) {
    return this.#call<Effect>(
      'POST',
      `/effects/${encodeURIComponent(id)}/observe`,
      options,
      {},
    );
  }

  plan(request: PlanRequest, options: Options) {
    return this.#call<OperationPlan>('POST', '/plans', options, request);
  }

  requestOperation(request: OperationRequest, options: Options) {
    return this.#call<Operation>('POST', '/operations', options, request);
  }

  getOperation(id: string, options: Options) {
    return this.#call<Operation>(
      'GET',
      `/operations/${encodeURIComponent(id)}`,
      options,
    );
  }

  planNewRelic(request: NewRelicPlanRequest, options: Options) {
    return this.#call<NewRelicPlan>('POST', '/newrelic/plan', options, request);
  }

  getEnvironment(name: string, options: Options) {
    return this.#call<Environment>(
      'GET',
      `/environments/${encodeURIComponent(name)}`,
      options,
    );
  }

  async checkDatabaseIsolation(options: Options) {
    const { items } = await this.#call<{ items: IsolationReport[] }>(
      'POST',
      '/databases/check',
      options,
    );
    return items;
  }

  async #call<T>(
    method: string,
    path: string,
    options: Options,
    body?: unknown,
    timeoutMs: number = TIMEOUT_MS,
  ): Promise<T> {
    const baseUrl = await this.#discovery.getBaseUrl('provisioning');
    const { token } = await this.#auth.getPluginRequestToken({
      onBehalfOf: options.credentials,
      targetPluginId: 'provisioning',
    });
    let response: Response;
    try {
      response = await fetch(`${baseUrl}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      throw new ServiceUnavailableError(
        'Provisioning does not answer; try again in a moment',
        error,
      );
    }
    if (!response.ok) throw await toError(response);
    return (await response.json()) as T;
  }
}

async function toError(response: Response): Promise<Error> {
  const error = await ResponseError.fromResponse(response);
  const KnownError =
    errorClasses[error.cause?.name as keyof typeof errorClasses];
  return KnownError ? new KnownError(error.cause.message) : error;
}
