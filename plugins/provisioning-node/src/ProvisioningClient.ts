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
  ResponseError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type {
  DeployRequest,
  GitToken,
  NameAvailability,
  Repository,
  ServiceLog,
  ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from './provisioningService';

const TIMEOUT_MS = 30_000;

const errorClasses = {
  ConflictError,
  InputError,
  NotAllowedError,
  NotFoundError,
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

  async #call<T>(
    method: string,
    path: string,
    options: Options,
    body?: unknown,
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
        signal: AbortSignal.timeout(TIMEOUT_MS),
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
