import type { JsonObject } from '@backstage/types';
import type { Caller } from './caller';
import { KubernetesError } from './errors';
import { labelSelectorOf, toEvent, withoutServerFields } from './objects';
import { ObjectReflector } from './ObjectReflector';
import { describe, isSecret, ObjectPaths } from './paths';
import { askAccess, askVersion } from './questions';
import { Resources } from './resources';
import {
  FIELD_MANAGER,
  type AccessAnswer,
  type AccessQuery,
  type ApiResource,
  type ApplyOptions,
  type ApplyResult,
  type CallOptions,
  type DeleteOptions,
  type DeleteResult,
  type KubernetesClient,
  type KubernetesObject,
  type LogOptions,
  type ObjectEvent,
  type ObjectPage,
  type ObjectQuery,
  type ObjectReference,
  type ObjectWatch,
  type WaitOptions,
  type WatchOptions,
  type WriteOptions,
} from './types';
import { waitUntil } from './waitUntil';

const PAGE_SIZE = 500;
const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';

const dryRunQuery = ({ dryRun }: WriteOptions) => (dryRun ? 'All' : undefined);

const refOf = ({ apiVersion, kind, metadata }: KubernetesObject) => ({
  apiVersion,
  kind,
  namespace: metadata?.namespace,
  name: metadata?.name ?? '',
});

/** `KubernetesClient` by raw JSON: models of a client's version would drop the fields that they do not know. */
export class DefaultKubernetesClient implements KubernetesClient {
  readonly cluster: string;
  readonly #caller: Caller;
  readonly #resources: Resources;
  readonly #paths: ObjectPaths;

  constructor(caller: Caller) {
    this.cluster = caller.cluster;
    this.#caller = caller;
    this.#resources = new Resources(caller);
    this.#paths = new ObjectPaths(caller.cluster, this.#resources);
  }

  async apply<T extends KubernetesObject>(
    object: T,
    options: ApplyOptions = {},
  ): Promise<ApplyResult<T & KubernetesObject>> {
    const ref = refOf(object);
    const { status, body } = await this.#caller.json<T & KubernetesObject>(
      {
        action: `apply ${describe(ref)}`,
        method: 'PATCH',
        path: await this.#paths.of(ref, options),
        query: {
          fieldManager: options.fieldManager ?? FIELD_MANAGER,
          fieldValidation: 'Strict',
          force: options.force ? 'true' : undefined,
          dryRun: dryRunQuery(options),
        },
        contentType: APPLY,
        body: withoutServerFields(object, options.uid),
        idempotent: true,
        secret: isSecret(ref),
      },
      options,
    );
    return { object: body, created: status === 201 };
  }

  async create<T extends KubernetesObject>(
    object: T,
    options: WriteOptions = {},
  ): Promise<T & KubernetesObject> {
    const ref = refOf(object);
    const { body } = await this.#caller.json<T & KubernetesObject>(
      {
        action: `create ${describe(ref)}`,
        method: 'POST',
        path: await this.#paths.collectionOf(ref, options, true),
        query: {
          fieldManager: FIELD_MANAGER,
          fieldValidation: 'Strict',
          dryRun: dryRunQuery(options),
        },
        body: object,
        idempotent: false,
        secret: isSecret(ref),
      },
      options,
    );
    return body;
  }

  async mergePatch<T extends KubernetesObject = KubernetesObject>(
    reference: ObjectReference,
    patch: JsonObject,
    options: WriteOptions & { subresource?: 'status' | 'scale' } = {},
  ): Promise<T> {
    const { subresource } = options;
    const path = await this.#paths.of(reference, options);
    const { body } = await this.#caller.json<T>(
      {
        action: `change ${describe(reference)}`,
        method: 'PATCH',
        path: subresource ? `${path}/${subresource}` : path,
        query: {
          fieldManager: FIELD_MANAGER,
          fieldValidation: 'Strict',
          dryRun: dryRunQuery(options),
        },
        contentType: MERGE,
        body: patch,
        idempotent: true,
        secret: isSecret(reference),
      },
      options,
    );
    return body;
  }

  async get<T extends KubernetesObject = KubernetesObject>(
    reference: ObjectReference,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    const path = await this.#paths.of(reference, options);
    return await this.#unlessAbsent(reference.apiVersion, async () => {
      const { body } = await this.#caller.json<T>(
        {
          action: `get ${describe(reference)}`,
          method: 'GET',
          path,
          idempotent: true,
          secret: isSecret(reference),
        },
        options,
      );
      return body;
    });
  }

  async list<T extends KubernetesObject = KubernetesObject>(
    query: ObjectQuery & { limit?: number; continue?: string },
    options: CallOptions = {},
  ): Promise<ObjectPage<T>> {
    const { body } = await this.#caller.json<{
      metadata?: { resourceVersion?: string; continue?: string };
      items?: T[];
    }>(
      {
        action: `list ${describe(query)}`,
        method: 'GET',
        path: await this.#paths.collectionOf(query, options),
        query: {
          labelSelector: labelSelectorOf(query.labelSelector),
          fieldSelector: query.fieldSelector,
          limit: String(query.limit ?? PAGE_SIZE),
          continue: query.continue,
        },
        idempotent: true,
        secret: isSecret(query),
      },
      options,
    );
    return {
      // Items of a list do not say what they are.
      items: (body.items ?? []).map(item => ({
        ...item,
        apiVersion: query.apiVersion,
        kind: query.kind,
      })),
      resourceVersion: body.metadata?.resourceVersion ?? '',
      ...(body.metadata?.continue ? { continue: body.metadata.continue } : {}),
    };
  }

  async listAll<T extends KubernetesObject = KubernetesObject>(
    query: ObjectQuery,
    options: CallOptions & { pageSize?: number } = {},
  ): Promise<T[]> {
    return (await this.#listAll<T>(query, options)).items;
  }

  async delete(
    reference: ObjectReference,
    options: DeleteOptions = {},
  ): Promise<DeleteResult> {
    const path = await this.#paths.of(reference, options);
    const { uid, resourceVersion } = options;
    const result = await this.#unlessAbsent(reference.apiVersion, () =>
      this.#caller.json<KubernetesObject>(
        {
          action: `delete ${describe(reference)}`,
          method: 'DELETE',
          path,
          body: {
            apiVersion: 'v1',
            kind: 'DeleteOptions',
            propagationPolicy: options.propagation ?? 'Background',
            gracePeriodSeconds: options.gracePeriodSeconds,
            dryRun: options.dryRun ? ['All'] : undefined,
            ...(uid || resourceVersion
              ? { preconditions: { uid, resourceVersion } }
              : {}),
          },
          idempotent: true,
          secret: isSecret(reference),
        },
        options,
      ),
    );
    if (!result) return { state: 'absent' };
    return result.body.metadata?.deletionTimestamp
      ? { state: 'terminating', object: result.body }
      : { state: 'deleted' };
  }

  watch<T extends KubernetesObject = KubernetesObject>(
    query: ObjectQuery,
    options: WatchOptions<T> = {},
  ): ObjectWatch<T> {
    return new ObjectReflector<T>(
      {
        list: signal => this.#listAll<T>(query, { signal }),
        open: async (resourceVersion, handlers) =>
          await this.#caller.connection.openWatch({
            path: await this.#paths.collectionOf(query, {}),
            query: {
              labelSelector: labelSelectorOf(query.labelSelector),
              fieldSelector: query.fieldSelector,
              resourceVersion,
              allowWatchBookmarks: 'true',
              timeoutSeconds: String(handlers.timeoutSeconds),
            },
            connectMs: handlers.connectMs,
            onEvent: handlers.onEvent,
            onEnd: handlers.onEnd,
          }),
        failure: error =>
          error instanceof KubernetesError
            ? error
            : this.#caller.failureOf(`watch ${describe(query)}`, error),
      },
      options,
    );
  }

  async waitUntil<R, T extends KubernetesObject = KubernetesObject>(
    query: ObjectQuery,
    check: (items: T[]) => R | undefined,
    options: WaitOptions,
  ): Promise<R> {
    return await waitUntil(this, query, check, options);
  }

  canI(query: AccessQuery, options: CallOptions = {}): Promise<AccessAnswer> {
    return askAccess(this.#caller, query, options);
  }

  findResource(
    kind: Pick<ApiResource, 'apiVersion' | 'kind'>,
    options: CallOptions = {},
  ): Promise<ApiResource | undefined> {
    return this.#resources.find(kind, options);
  }

  listResources(options: CallOptions = {}) {
    return this.#resources.list(options);
  }

  async logs(
    pod: { namespace: string; name: string },
    options: LogOptions = {},
  ): Promise<string> {
    const ref = { apiVersion: 'v1', kind: 'Pod', ...pod };
    const { body } = await this.#caller.text(
      {
        action: `read the log of ${describe(ref)}`,
        method: 'GET',
        path: `${await this.#paths.of(ref, options)}/log`,
        query: {
          container: options.container,
          tailLines: String(options.tailLines ?? 500),
          limitBytes: String(options.limitBytes ?? 262_144),
          sinceSeconds: options.sinceSeconds?.toString(),
          previous: options.previous ? 'true' : undefined,
          timestamps: options.timestamps ? 'true' : undefined,
        },
        idempotent: true,
      },
      options,
    );
    return body;
  }

  async events(
    query: { namespace: string; name?: string; kind?: string; uid?: string },
    options: CallOptions = {},
  ): Promise<ObjectEvent[]> {
    const wanted = { name: query.name, kind: query.kind, uid: query.uid };
    const found = await this.listAll(
      {
        apiVersion: 'v1',
        kind: 'Event',
        namespace: query.namespace,
        fieldSelector:
          Object.entries(wanted)
            .filter(([, value]) => value)
            .map(([field, value]) => `involvedObject.${field}=${value}`)
            .join(',') || undefined,
      },
      options,
    );
    return found
      .map(toEvent)
      .sort((a, b) => (b.lastAt ?? '').localeCompare(a.lastAt ?? ''));
  }

  version(options: CallOptions = {}): Promise<string> {
    return askVersion(this.#caller, options);
  }

  /** Every page; begins anew once when the first ones are too old for the next. */
  async #listAll<T extends KubernetesObject>(
    query: ObjectQuery,
    options: CallOptions & { pageSize?: number },
  ): Promise<{ items: T[]; resourceVersion: string }> {
    for (let again = true; ; again = false) {
      const items: T[] = [];
      let next: string | undefined;
      try {
        for (;;) {
          const page: ObjectPage<T> = await this.list<T>(
            { ...query, limit: options.pageSize, continue: next },
            options,
          );
          items.push(...page.items);
          next = page.continue;
          if (!next) return { items, resourceVersion: page.resourceVersion };
        }
      } catch (error) {
        const expired =
          error instanceof KubernetesError && error.kind === 'expired';
        if (!expired || !again) throw error;
      }
    }
  }

  /** What `call` answers, or undefined when the object is not there. */
  async #unlessAbsent<R>(
    apiVersion: string,
    call: () => Promise<R>,
  ): Promise<R | undefined> {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      if (error.kind === 'not-found') return undefined;
      // Its definition was removed since it was discovered.
      if (error.kind === 'not-served') this.#resources.forget(apiVersion);
      throw error;
    }
  }
}
