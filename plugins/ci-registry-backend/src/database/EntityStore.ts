import type { Entity } from '@backstage/catalog-model';
import type {
  PushSource,
  RegisterOutcome,
} from '@rocket/plugin-ci-registry-common';

/** One entity of a push, checked and normalized. */
export interface EntityToStore {
  entityRef: string;
  /** Canonical JSON of the entity. */
  json: string;
  /** SHA-256 of `json`, hexadecimal. */
  hash: string;
}

export interface PushToStore {
  source: PushSource;
  /** Entity ref of the user, or subject of the service. */
  pushedBy: string;
  /** ms since 1970. */
  now: number;
  entities: EntityToStore[];
}

export interface StoredEntity {
  entityRef: string;
  entity: Entity;
  repository: string;
  source: PushSource;
  changedBy: PushSource;
  /** Times in ms since 1970. */
  changedAt: number;
  firstPushedAt: number;
  lastPushedAt: number;
  version: number;
  appliedVersion: number;
}

export interface StoredClaim {
  claimId: string;
  changes: { stored: StoredEntity; repeated: boolean }[];
}

/** What pipelines pushed, and what the catalog has yet to store of it. */
export interface EntityStore {
  /**
   * All or nothing. The outcomes are in the order of the entities. `ConflictError` when
   * another repository holds one of them.
   */
  push(push: PushToStore): Promise<RegisterOutcome[]>;
  get(entityRef: string): Promise<StoredEntity | undefined>;
  /** The ones of these that are stored, in no order. */
  known(entityRefs: string[]): Promise<Set<string>>;
  /** Ordered by entity ref, from the one after `after`. */
  list(options: {
    after?: string;
    limit: number;
    repository?: string;
  }): Promise<StoredEntity[]>;
  /** Hands out waiting changes, new ones first; nobody else gets them before `now + leaseMs`. */
  claim(options: {
    limit: number;
    now: number;
    leaseMs: number;
  }): Promise<StoredClaim>;
  /** The catalog stored these. What changed since the claim, or was claimed by another, waits again. */
  acknowledge(
    claimId: string,
    changes: { entityRef: string; version: number }[],
    now: number,
  ): Promise<void>;
  /** Queues every entity behind the new changes; answers how many were added. */
  repeatAll(now: number): Promise<number>;
}
