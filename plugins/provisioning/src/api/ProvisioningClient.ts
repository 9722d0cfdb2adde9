import { ResponseError } from '@backstage/errors';
import type { FetchApi } from '@backstage/frontend-plugin-api';
import type {
  Effect,
  EffectEvent,
  Environment,
  GitToken,
  NameAvailability,
  Operation,
  OperationPlan,
  OperationRequest,
  OperationState,
  PlanRequest,
  Repository,
  ServiceLog,
  ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import { CiRegistryClient } from '@rocket/plugin-ci-registry-common';
import { formatTimestamp } from '@rocket/rocket-react';
import type {
  DeployedVersion,
  ProvisioningApi,
  ServiceOperation,
} from './ProvisioningApi';

/** How far back a roll-back may be chosen from the list. */
const VERSIONS = 50;

/** A request that the backend refused, in its own words. */
export class ProvisioningRequestError extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.name = 'ProvisioningRequestError';
    this.status = status;
  }
}

function queryOf(fields: object): URLSearchParams {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) {
      query.set(key, String(value));
    }
  }
  return query;
}

/** `ProvisioningApi` over HTTP. */
export class ProvisioningClient implements ProvisioningApi {
  readonly #fetchApi: FetchApi;
  readonly #registry: CiRegistryClient;

  constructor(options: { fetchApi: FetchApi }) {
    this.#fetchApi = options.fetchApi;
    this.#registry = new CiRegistryClient({
      fetchApi: options.fetchApi,
      baseUrl: 'plugin://ci-registry',
    });
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

  operate(name: string, operation: ServiceOperation, reason?: string) {
    return this.#post<ServiceStatus>(
      `/services/${encodeURIComponent(name)}/${operation}`,
      reason ? { reason } : undefined,
    );
  }

  getLog(
    name: string,
    request: { after?: number; limit?: number },
    signal?: AbortSignal,
  ) {
    return this.#request<ServiceLog>(
      `/services/${encodeURIComponent(name)}/log?${queryOf(request)}`,
      { signal },
    );
  }

  getRepository(name: string, signal?: AbortSignal) {
    return this.#find<Repository>(`/repositories/${encodeURIComponent(name)}`, {
      signal,
    });
  }

  createGitToken(request: { repository: string; access: 'read' | 'write' }) {
    return this.#post<GitToken>('/git-tokens', request);
  }

  listEffects(
    filter: { subject?: string; environment?: string; run?: string },
    signal?: AbortSignal,
  ) {
    return this.#items<Effect>(`/effects?${queryOf(filter)}`, signal);
  }

  listEffectEvents(id: string, signal?: AbortSignal) {
    return this.#items<EffectEvent>(
      `/effects/${encodeURIComponent(id)}/events`,
      signal,
    );
  }

  observeEffect(id: string) {
    return this.#post<Effect>(`/effects/${encodeURIComponent(id)}/observe`);
  }

  plan(request: PlanRequest) {
    return this.#post<OperationPlan>('/plans', request);
  }

  startOperation(request: OperationRequest) {
    return this.#post<Operation>('/operations', request);
  }

  listOperations(
    filter: { subject?: string; environment?: string; state?: OperationState },
    signal?: AbortSignal,
  ) {
    return this.#items<Operation>(`/operations?${queryOf(filter)}`, signal);
  }

  getOperation(id: string, signal?: AbortSignal) {
    return this.#find<Operation>(`/operations/${encodeURIComponent(id)}`, {
      signal,
    });
  }

  decideOperation(id: string, decision: 'approve' | 'reject', reason?: string) {
    return this.#post<Operation>(
      `/operations/${encodeURIComponent(id)}/${decision}`,
      reason ? { reason } : {},
    );
  }

  cancelOperation(id: string) {
    return this.#post<Operation>(
      `/operations/${encodeURIComponent(id)}/cancel`,
    );
  }

  retryOperation(id: string) {
    return this.#post<Operation>(`/operations/${encodeURIComponent(id)}/retry`);
  }

  async listVersions(
    subject: string,
    environment: string,
    signal?: AbortSignal,
  ): Promise<DeployedVersion[]> {
    const { items } = await this.#registry.getDeployments({
      component: subject,
      environment,
      limit: VERSIONS,
      signal,
    });
    const succeeded = items.filter(({ outcome }) => outcome === 'succeeded');
    const [running] = succeeded;
    const byCommit = new Map<string, DeployedVersion>();
    for (const { commit, version, startedAt } of succeeded) {
      if (commit !== running.commit && !byCommit.has(commit)) {
        byCommit.set(commit, {
          commit,
          label: [version, commit.slice(0, 12), formatTimestamp(startedAt)]
            .filter((part, at, all) => all.indexOf(part) === at)
            .join(' · '),
        });
      }
    }
    return [...byCommit.values()];
  }

  listEnvironments(signal?: AbortSignal) {
    return this.#items<Environment>('/environments', signal);
  }

  extendEnvironment(name: string) {
    return this.#post<Environment>(
      `/environments/${encodeURIComponent(name)}/extend`,
    );
  }

  async #items<T>(path: string, signal?: AbortSignal): Promise<T[]> {
    return (await this.#request<{ items: T[] }>(path, { signal })).items;
  }

  #post<T>(path: string, body?: object): Promise<T> {
    return this.#request<T>(path, {
      method: 'POST',
      ...(body && {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
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
