import type { Entity } from '@backstage/catalog-model';

/** Annotations that tell where a pushed entity came from. */
export const ANNOTATION_SOURCE_REPOSITORY = 'rocket.internal/source-repository';
export const ANNOTATION_SOURCE_COMMIT = 'rocket.internal/source-commit';
export const ANNOTATION_SOURCE_PIPELINE = 'rocket.internal/source-pipeline';
export const ANNOTATION_PUSHED_AT = 'rocket.internal/pushed-at';

/** Where a push comes from. */
export interface PushSource {
  /** URL or name of the repository; the identity that owns the entities it pushed first. */
  repository: string;
  /** Full SHA, 40 or 64 hexadecimal digits. */
  commit: string;
  branch?: string;
  /** Id or URL of the pipeline run or scaffolder task. */
  pipeline?: string;
  /** When the pipeline ran, ISO 8601; an older push never overwrites a newer one. */
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
  entity: Entity;
  source: PushSource;
  firstPushedAt: string;
  lastPushedAt: string;
  /** True once the catalog took it over. */
  applied: boolean;
}
