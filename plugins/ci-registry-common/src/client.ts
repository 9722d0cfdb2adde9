import { parseEntityRef } from '@backstage/catalog-model';
import { ResponseError } from '@backstage/errors';
import type {
  ApiDocumentVersionsResponse,
  Build,
  BuildPage,
  DeploymentPage,
  DoraResponse,
  EntityHistoryPage,
  EntityVersion,
  FreshnessPage,
  FreshnessState,
  IdentityDecisionPage,
  PushRequest,
  PushResponse,
  RegisteredEntity,
  ValidateResponse,
  VersionsResponse,
} from './api';

/** Options of every call. */
export interface CallOptions {
  /** Sent as a bearer token; a portal's own `fetch` brings the sign-in by itself. */
  token?: string;
  signal?: AbortSignal;
}

/** Options of calls that answer a page. */
export interface PageOptions extends CallOptions {
  limit?: number;
  /** The `nextCursor` of the page before. */
  cursor?: string;
}

/** Options of {@link CiRegistryClient.getDora}. */
export interface DoraOptions extends CallOptions {
  by: DoraResponse['by'];
  environment?: string;
  /** Length of the window in days. */
  days?: number;
  /** Only the row of this entity. */
  ref?: string;
}

interface Call {
  method?: 'GET' | 'POST';
  query?: Record<string, string | string[] | number | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  /** Default: JSON. */
  as?: 'text' | 'blob';
}

const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Reads and feeds the CI registry over its HTTP API, for portals and backends
 * alike. Every call fails with a `ResponseError` when the registry answers with
 * one (its `cause.message` says what is wrong and what is allowed), with the
 * error of `fetch` when it does not answer, and with a `TimeoutError` when it
 * takes too long. Nothing is tried again.
 *
 * @example
 * ```ts
 * new CiRegistryClient({ fetchApi, baseUrl: 'plugin://ci-registry' });
 * ```
 */
export class CiRegistryClient {
  readonly #fetchApi: { fetch: typeof fetch };
  readonly #baseUrl: () => Promise<string>;
  readonly #timeoutMs: number;

  constructor(options: {
    fetchApi: { fetch: typeof fetch };
    /** Of the plugin, without a slash at the end. */
    baseUrl: string | (() => Promise<string>);
    /** Until the whole answer is there, in milliseconds. Default: 30000. */
    timeoutMs?: number;
  }) {
    const { baseUrl } = options;
    this.#fetchApi = options.fetchApi;
    this.#baseUrl = typeof baseUrl === 'string' ? async () => baseUrl : baseUrl;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  /** Pushes what a pipeline has to say; all of it or nothing. */
  async push(
    request: PushRequest,
    options: CallOptions = {},
  ): Promise<PushResponse> {
    return this.#call(['pushes'], options, { method: 'POST', body: request });
  }

  /** Says what is wrong with a push and stores nothing. */
  async validate(
    request: PushRequest,
    options: CallOptions = {},
  ): Promise<ValidateResponse> {
    return this.#call(['validate'], options, { method: 'POST', body: request });
  }

  /** An entity as it was pushed; a 404 when it never was. */
  async getEntity(
    entityRef: string,
    options: CallOptions = {},
  ): Promise<RegisteredEntity> {
    return this.#call(['entities', ...segmentsOf(entityRef)], options);
  }

  /** Builds, the newest first. */
  async getBuilds(
    options: PageOptions & { component?: string; commit?: string } = {},
  ): Promise<BuildPage> {
    const { component, commit, limit, cursor } = options;
    return this.#call(['builds'], options, {
      query: { component, commit, limit, cursor },
    });
  }

  /** One build; a 404 when there is none that the caller may see. */
  async getBuild(id: string, options: CallOptions = {}): Promise<Build> {
    return this.#call(['builds', id], options);
  }

  /** Deployments, the newest first. */
  async getDeployments(
    options: PageOptions & { component?: string; environment?: string } = {},
  ): Promise<DeploymentPage> {
    const { component, environment, limit, cursor } = options;
    return this.#call(['deployments'], options, {
      query: { component, environment, limit, cursor },
    });
  }

  /** What runs where, of a component or of every component of a system. */
  async getVersions(
    of: { component: string } | { system: string },
    options: CallOptions = {},
  ): Promise<VersionsResponse> {
    return this.#call(['versions'], options, { query: { ...of } });
  }

  /** The DORA metrics (DevOps Research and Assessment) with those of the window before. */
  async getDora(options: DoraOptions): Promise<DoraResponse> {
    const { by, environment, days, ref } = options;
    return this.#call(['dora'], options, {
      query: { by, environment, days, ref },
    });
  }

  /** Every change of an entity, the newest first; a 404 when it was never pushed. */
  async getHistory(
    entityRef: string,
    options: PageOptions = {},
  ): Promise<EntityHistoryPage> {
    const { limit, cursor } = options;
    return this.#call(['history', ...segmentsOf(entityRef)], options, {
      query: { limit, cursor },
    });
  }

  /** The entity as it was at a version. */
  async getEntityVersion(
    entityRef: string,
    version: number,
    options: CallOptions = {},
  ): Promise<EntityVersion> {
    return this.#call(
      ['history', ...segmentsOf(entityRef), String(version)],
      options,
    );
  }

  /** The whole log of an entity as NDJSON, one change per line. */
  async exportHistory(
    entityRef: string,
    options: CallOptions = {},
  ): Promise<Blob> {
    return this.#call(
      ['history', ...segmentsOf(entityRef), 'export'],
      options,
      { as: 'blob' },
    );
  }

  /** How far what is registered is known to be true; several owners or states are alternatives. */
  async getFreshness(
    options: PageOptions & {
      owner?: string[];
      state?: FreshnessState[];
      entityRef?: string;
    } = {},
  ): Promise<FreshnessPage> {
    const { owner, state, entityRef, limit, cursor } = options;
    return this.#call(['freshness'], options, {
      query: { owner, state, entityRef, limit, cursor },
    });
  }

  /** The versions of an API document, the newest first; a 404 when none was pushed. */
  async getDocumentVersions(
    api: string,
    options: CallOptions = {},
  ): Promise<ApiDocumentVersionsResponse> {
    const [, namespace, name] = segmentsOf(api, 'api');
    return this.#call(['documents', namespace, name, 'versions'], options);
  }

  /** The definition of an API document at a version, as it was pushed. */
  async getDocumentDefinition(
    api: string,
    version: number,
    options: CallOptions = {},
  ): Promise<string> {
    const [, namespace, name] = segmentsOf(api, 'api');
    return this.#call(
      ['documents', namespace, name, 'versions', String(version)],
      options,
      { as: 'text' },
    );
  }

  /** Who was let in and who was not, the newest first. */
  async getDecisions(
    options: PageOptions & { allowed?: boolean } = {},
  ): Promise<IdentityDecisionPage> {
    const { allowed, limit, cursor } = options;
    return this.#call(['decisions'], options, {
      query: { allowed: allowed?.toString(), limit, cursor },
    });
  }

  async #call<T>(
    segments: string[],
    options: CallOptions,
    call: Call = {},
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
    if (call.body !== undefined) {
      headers['content-type'] = 'application/json';
    }
    const controller = new AbortController();
    const timer = setTimeout(
      () =>
        controller.abort(
          new DOMException(
            `The CI registry did not answer within ${this.#timeoutMs} ms`,
            'TimeoutError',
          ),
        ),
      this.#timeoutMs,
    );
    const forward = () => controller.abort(options.signal?.reason);
    options.signal?.addEventListener('abort', forward);
    if (options.signal?.aborted) {
      forward();
    }
    try {
      const response = await this.#fetchApi.fetch(
        `${await this.#baseUrl()}/${path}${search && `?${search}`}`,
        {
          method: call.method ?? 'GET',
          headers,
          body: call.body === undefined ? undefined : JSON.stringify(call.body),
          signal: controller.signal,
        },
      );
      if (!response.ok) {
        throw await ResponseError.fromResponse(response);
      }
      return (await response[call.as ?? 'json']()) as T;
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', forward);
    }
  }
}

function segmentsOf(entityRef: string, defaultKind?: string) {
  const { kind, namespace, name } = parseEntityRef(entityRef, {
    defaultKind,
    defaultNamespace: 'default',
  });
  return [kind.toLocaleLowerCase('en-US'), namespace, name] as const;
}
