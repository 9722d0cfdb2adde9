import { ResponseError } from '@backstage/errors';
import type { FetchApi } from '@backstage/frontend-plugin-api';
import type {
  GitToken,
  NameAvailability,
  Repository,
  ServiceLog,
  ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import type { ProvisioningApi, ServiceOperation } from './ProvisioningApi';

/** A request that the backend refused, in its own words. */
export class ProvisioningRequestError extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.name = 'ProvisioningRequestError';
    this.status = status;
  }
}

/** `ProvisioningApi` over HTTP. */
export class ProvisioningClient implements ProvisioningApi {
  readonly #fetchApi: FetchApi;

  constructor(options: { fetchApi: FetchApi }) {
    this.#fetchApi = options.fetchApi;
  }

  checkName(name: string, signal?: AbortSignal) {
    return this.#request<NameAvailability>(
      `/names/${encodeURIComponent(name)}`,
      { signal },
    );
  }

  getService(name: string, signal?: AbortSignal) {
    return this.#find<ServiceStatus>(`/services/${encodeURIComponent(name)}`, {
      signal,
    });
  }

  operate(name: string, operation: ServiceOperation) {
    return this.#request<ServiceStatus>(
      `/services/${encodeURIComponent(name)}/${operation}`,
      { method: 'POST' },
    );
  }

  getLog(
    name: string,
    request: { after?: number; limit?: number },
    signal?: AbortSignal,
  ) {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(request)) {
      if (value !== undefined) {
        query.set(key, String(value));
      }
    }
    return this.#request<ServiceLog>(
      `/services/${encodeURIComponent(name)}/log?${query}`,
      { signal },
    );
  }

  getRepository(name: string, signal?: AbortSignal) {
    return this.#find<Repository>(`/repositories/${encodeURIComponent(name)}`, {
      signal,
    });
  }

  createGitToken(request: { repository: string; access: 'read' | 'write' }) {
    return this.#request<GitToken>('/git-tokens', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(request),
    });
  }

  async #find<T>(path: string, init: RequestInit): Promise<T | undefined> {
    try {
      return await this.#request<T>(path, init);
    } catch (error) {
      if (error instanceof ProvisioningRequestError && error.status === 404) {
        return undefined;
      }
      throw error;
    }
  }

  async #request<T>(path: string, init: RequestInit): Promise<T> {
    let response: Response;
    try {
      response = await this.#fetchApi.fetch(
        `plugin://provisioning${path}`,
        init,
      );
    } catch (error) {
      if (init.signal?.aborted) {
        throw error;
      }
      throw new ProvisioningRequestError(
        'Provisioning does not answer; check the connection and try again',
        0,
      );
    }
    if (!response.ok) {
      const failure = await ResponseError.fromResponse(response);
      throw new ProvisioningRequestError(
        failure.cause.message || failure.message,
        response.status,
      );
    }
    return response.json();
  }
}
