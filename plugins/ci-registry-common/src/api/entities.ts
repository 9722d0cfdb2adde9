import type { Entity } from '@backstage/catalog-model';

/** Annotations that tell where a pushed entity came from. */
export const ANNOTATION_SOURCE_REPOSITORY = 'rocket.internal/source-repository';
export const ANNOTATION_SOURCE_COMMIT = 'rocket.internal/source-commit';
export const ANNOTATION_SOURCE_PIPELINE = 'rocket.internal/source-pipeline';
export const ANNOTATION_PUSHED_AT = 'rocket.internal/pushed-at';
/** When the repository gave the entity up, ISO 8601; it leaves the catalog after the grace time. */
export const ANNOTATION_GONE_AT = 'rocket.internal/gone-at';

/** Scheme of locations on Rocket's own Git host: `rocket-git://<repository>/tree/HEAD/<path>`. */
export const LOCAL_GIT_SCHEME = 'rocket-git:';

/** Where a push comes from. */
export interface PushSource {
  /** URL or name of the repository, without credentials; the identity that owns the entities it pushed first. */
  repository: string;
  /** Full SHA, 40 or 64 hexadecimal digits. */
  commit: string;
  branch?: string;
  /**
   * Ancestors of `commit`, the newest first, as far as the pipeline knows them; at most 500. They decide which of two pushes
   * is the older one; where they say nothing, `time` does.
   */
  ancestors?: string[];
  /** Id or URL of the pipeline run or scaffolder task. */
  pipeline?: string;
  /** When the pipeline ran, ISO 8601. */
  time: string;
}

/** Body of `POST /entities`. */
export interface RegisterRequest {
  source: PushSource;
  entities: Entity[];
}

export type RegisterOutcome =
  | 'created'
  | 'updated'
  | 'unchanged'
  | 'superseded';

/** Answer of `POST /entities`, in the order of the request. */
export interface RegisterResponse {
  results: { entityRef: string; outcome: RegisterOutcome }[];
}

/** Answer of `GET /entities/:kind/:namespace/:name`. */
export interface RegisteredEntity {
  entityRef: string;
  /** As the catalog gets it, with the annotations that say where it came from. */
  entity: Entity;
  /** The newest push that held this content; `changedBy` is the one that brought it. */
  source: PushSource;
  /** The push that last changed the content; the one named by the annotations. */
  changedBy: PushSource;
  firstPushedAt: string;
  lastPushedAt: string;
  /** `gone`: its repository gave it up; `removed`: it left the catalog, or is about to. */
  state: 'active' | 'gone' | 'removed';
  /** When it was given up, ISO 8601. */
  goneAt?: string;
  /** For `gone`: when it leaves the catalog, ISO 8601. */
  removedAt?: string;
  /** The registry made it for an API document. */
  derived: boolean;
  /** True once the catalog took it over. */
  applied: boolean;
}

/** Answer of `GET /entities`, ordered by entity ref. */
export interface RegisteredEntityPage {
  items: RegisteredEntity[];
  /** Pass as `cursor` for the next page; absent on the last one. */
  nextCursor?: string;
}

/** Type of the location annotations on pushed entities: `rocket-ci-registry:<repository>`. */
export const CI_REGISTRY_LOCATION_TYPE = 'rocket-ci-registry';

/** Topic on the events service: something is waiting to be applied to the catalog. */
export const CI_REGISTRY_CHANGED_TOPIC = 'ci-registry.changed';

/** One entity that the catalog has yet to take over. */
export interface PendingChange {
  entityRef: string;
  /** Counts the changes of this entity, from 1. */
  version: number;
  entity: Entity;
  /** The catalog is to drop the entity. */
  removed?: boolean;
  /** The catalog was given this version before; it is repeated after a restart. */
  repeated: boolean;
}

/** Answer of `POST /changes/claim`: nobody else gets these until the claim ends. */
export interface ClaimedChanges {
  claimId: string;
  changes: PendingChange[];
}

/** Body of `POST /changes/acknowledge`: the catalog has stored these. */
export interface AcknowledgeRequest {
  claimId: string;
  changes: { entityRef: string; version: number }[];
}
