import type { JsonObject } from '@backstage/types';

/** Who owns the fields that Rocket applies, in `metadata.managedFields`. */
export const FIELD_MANAGER = 'rocket-provisioner';

/** Part of `metadata` that Rocket reads or writes. Times are RFC 3339. */
export interface ObjectMetadata {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFields[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFields {
  manager?: string;
  operation?: 'Apply' | 'Update';
  subresource?: string;
  time?: string;
  fieldsV1?: JsonObject;
}

/** Any object of the Kubernetes API, as JSON; nothing of it is dropped or renamed. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMetadata;
  [field: string]: unknown;
}

/** Names one object. `namespace` is required for namespaced kinds and forbidden for the others. */
export interface ObjectReference {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name: string;
}

export interface ObjectQuery {
  apiVersion: string;
  kind: string;
  /** Absent: all namespaces. */
  namespace?: string;
  /** A selector as kubectl takes it, or labels that must all be equal. */
  labelSelector?: string | Record<string, string>;
  fieldSelector?: string;
}

/** One page of a list. */
export interface ObjectPage<T extends KubernetesObject = KubernetesObject> {
  items: T[];
  resourceVersion: string;
  /** Give it to the next call for the next page; absent on the last one. */
  continue?: string;
}

export interface CallOptions {
  /** Gives the call up, retries included. */
  signal?: AbortSignal;
  /** For one attempt, in milliseconds. Default: 15 000. */
  timeoutMs?: number;
}

export interface WriteOptions extends CallOptions {
  /** True: the server checks everything, admission included, and stores nothing. */
  dryRun?: boolean;
}

export interface ApplyOptions extends WriteOptions {
  /** Take over fields that other managers own. Only when a person confirmed it. */
  force?: boolean;
  /** Only if the object with this uid is still there; else a `conflict`. */
  uid?: string;
  fieldManager?: string;
}

export interface ApplyResult<T extends KubernetesObject = KubernetesObject> {
  /** As stored, or as it would be with `dryRun`. An unchanged object keeps its `resourceVersion`. */
  object: T;
  created: boolean;
}

export interface DeleteOptions extends WriteOptions {
  /** What happens to the objects that it owns. Default: `Background`. */
  propagation?: 'Background' | 'Foreground' | 'Orphan';
  /** Only the object with this uid, not a later one of the same name. */
  uid?: string;
  resourceVersion?: string;
  /** Seconds; 0 ends at once. Default: the object's own. */
  gracePeriodSeconds?: number;
}

/** `absent`: there was none; `terminating`: finalizers or a grace period hold it, see `object`. */
export type DeleteResult =
  | { state: 'absent' | 'deleted' }
  | { state: 'terminating'; object: KubernetesObject };

export interface AccessQuery {
  /** For example `create`, `get`, `patch`. */
  verb: string;
  /** API group; empty for the core group. */
  group?: string;
  /** Plural: `deployments`, or `pods/log` with a subresource. */
  resource: string;
  /** Absent: in all namespaces. */
  namespace?: string;
  name?: string;
}

export interface AccessAnswer {
  allowed: boolean;
  reason?: string;
}

/** A kind that a cluster serves. */
export interface ApiResource {
  apiVersion: string;
  kind: string;
  /** Name in paths, for example `deployments`. */
  plural: string;
  namespaced: boolean;
  verbs: string[];
}

export interface LogOptions extends CallOptions {
  container?: string;
  /** Last lines only. Default: 500. */
  tailLines?: number;
  /** Bytes at most. Default: 262 144. */
  limitBytes?: number;
  sinceSeconds?: number;
  /** Of the container's instance before this one. */
  previous?: boolean;
  timestamps?: boolean;
}

/** Something that Kubernetes reports about an object; it forgets after about an hour. */
export interface ObjectEvent {
  type: string;
  reason: string;
  message: string;
  count: number;
  /** RFC 3339. */
  lastAt?: string;
  object: { kind: string; name: string; namespace?: string; uid?: string };
}

export type ObjectChange<T extends KubernetesObject = KubernetesObject> =
  /** `deleted` carries the object as last seen. */
  { type: 'added' | 'modified' | 'deleted'; object: T };

export interface WatchOptions<T extends KubernetesObject = KubernetesObject> {
  onChange?(change: ObjectChange<T>): void;
  /** The state is complete: after the first list, and after each one since. */
  onSync?(): void;
  /** What broke, or what another listener threw. The watch goes on by itself; this is for logs. Never called by `stop`. */
  onError?(error: Error, consecutive: number): void;
  /** Lists anew that often, in milliseconds, whatever the watch says. Default: 300 000. */
  resyncMs?: number;
  /**
   * A watch without an event for so long, in milliseconds, is taken for dead and
   * begun anew. Servers send one a minute, but old etcd keeps them silent. Default: 150 000.
   */
  quietMs?: number;
}

/** A copy of what matches a query, kept current. */
export interface ObjectWatch<T extends KubernetesObject = KubernetesObject> {
  /** Resolves with the first complete state; rejects only when stopped before. */
  readonly synced: Promise<void>;
  items(): T[];
  get(name: string, namespace?: string): T | undefined;
  /** No call of a listener comes after it. */
  stop(): Promise<void>;
}

export interface WaitOptions extends CallOptions {
  /** For the whole wait, in milliseconds. */
  deadlineMs: number;
  /** Asks anew that often even if the watch is quiet, in milliseconds. Default: 5 000. */
  intervalMs?: number;
}

/** One cluster. Errors are `KubernetesError`s; what they say is safe to show. */
export interface KubernetesClient {
  readonly cluster: string;
  /**
   * Server-side apply of the fields given, strictly validated; what is left
   * out is given up or left to its owner. `status` and the metadata that the
   * server keeps are not sent.
   *
   * @throws KubernetesFieldConflictError when others own fields, unless `force`
   * @throws KubernetesError `validation` with the fields, also for fields that the kind does not have
   */
  apply<T extends KubernetesObject>(
    object: T,
    options?: ApplyOptions,
  ): Promise<ApplyResult<T & KubernetesObject>>;
  /** Sent once: a repeated POST could create two. `already-exists` when there is one. */
  create<T extends KubernetesObject>(
    object: T,
    options?: WriteOptions,
  ): Promise<T & KubernetesObject>;
  /** JSON merge patch: null removes a field, lists are replaced whole. */
  mergePatch<T extends KubernetesObject = KubernetesObject>(
    reference: ObjectReference,
    patch: JsonObject,
    options?: WriteOptions & { subresource?: 'status' | 'scale' },
  ): Promise<T>;
  /** Undefined when there is none. */
  get<T extends KubernetesObject = KubernetesObject>(
    reference: ObjectReference,
    options?: CallOptions,
  ): Promise<T | undefined>;
  /** One page, 500 objects unless `limit` says else. */
  list<T extends KubernetesObject = KubernetesObject>(
    query: ObjectQuery & { limit?: number; continue?: string },
    options?: CallOptions,
  ): Promise<ObjectPage<T>>;
  /** All pages. */
  listAll<T extends KubernetesObject = KubernetesObject>(
    query: ObjectQuery,
    options?: CallOptions & { pageSize?: number },
  ): Promise<T[]>;
  delete(
    reference: ObjectReference,
    options?: DeleteOptions,
  ): Promise<DeleteResult>;
  watch<T extends KubernetesObject = KubernetesObject>(
    query: ObjectQuery,
    options?: WatchOptions<T>,
  ): ObjectWatch<T>;
  /**
   * Waits until `check` answers something but undefined for what matches. What
   * it throws ends the wait. A `timeout` error after `deadlineMs`; while the
   * cluster does not answer it keeps trying.
   */
  waitUntil<R, T extends KubernetesObject = KubernetesObject>(
    query: ObjectQuery,
    check: (items: T[]) => R | undefined,
    options: WaitOptions,
  ): Promise<R>;
  /** What the cluster's credentials may do, by asking the API server. */
  canI(query: AccessQuery, options?: CallOptions): Promise<AccessAnswer>;
  /** The kind as served, or undefined. Kept for five minutes; a miss is asked again. */
  findResource(
    kind: Pick<ApiResource, 'apiVersion' | 'kind'>,
    options?: CallOptions,
  ): Promise<ApiResource | undefined>;
  /** All kinds, and the group versions that did not answer (an aggregated API that is down). */
  listResources(
    options?: CallOptions,
  ): Promise<{ resources: ApiResource[]; failed: string[] }>;
  logs(
    pod: { namespace: string; name: string },
    options?: LogOptions,
  ): Promise<string>;
  /** Newest first. `name`, `kind` and `uid` narrow it to one object. */
  events(
    query: { namespace: string; name?: string; kind?: string; uid?: string },
    options?: CallOptions,
  ): Promise<ObjectEvent[]>;
  /** For example `v1.36.3`. */
  version(options?: CallOptions): Promise<string>;
}

/** A configured cluster; nothing secret. */
export interface KubernetesCluster {
  name: string;
  title?: string;
  url: string;
}

export interface KubernetesService {
  /** Clusters that Rocket can act on. */
  listClusters(): KubernetesCluster[];
  /** @throws NotFoundError naming the clusters that there are */
  getClient(cluster: string): KubernetesClient;
}
