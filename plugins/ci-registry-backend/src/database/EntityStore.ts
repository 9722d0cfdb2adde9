import type { Entity } from '@backstage/catalog-model';
import type {
  PushSource,
  RegisterOutcome,
} from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';

/** `gone`: its repository gave it up; `removed`: the grace time is over and the catalog drops it. */
export type EntityState = 'active' | 'gone' | 'removed';

/** One entity of a push, checked and normalized. */
export interface EntityToStore {
  entityRef: string;
  /** Canonical JSON (RFC 8785) of the entity. */
  json: string;
  /** SHA-256 of `json`, hexadecimal. */
  hash: string;
  /** Made by the registry for an API document. */
  derived?: boolean;
}

export interface PushToStore {
  source: PushSource;
  /** Entity ref of the user, or subject of the pipeline or service. */
  pushedBy: string;
  /** ms since 1970. */
  now: number;
  entities: EntityToStore[];
  /** `entities` are all that the repository has. */
  complete?: boolean;
  /** Entity refs that the repository gave up. */
  removed?: string[];
}

export interface PushedEntities {
  /** In the order of the entities. */
  outcomes: RegisterOutcome[];
  /** Of those that the push gives up, the ones that are gone now, in order. */
  gone: string[];
  /** Of those that the push names in `removed`, the ones it cannot give up, and why. */
  kept: { entityRef: string; reason: string }[];
  /** True when the catalog has something to do. */
  changed: boolean;
}

export interface StoredEntity {
  entityRef: string;
  entity: Entity;
  hash: string;
  repository: string;
  source: PushSource;
  changedBy: PushSource;
  state: EntityState;
  /** Made by the registry for an API document. */
  derived: boolean;
  /** Times in ms since 1970. */
  goneAt?: number;
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
  /** Repeats the work when another writer got in between; a transaction's work must not use the store itself. */
  transaction<T>(work: (tx: Knex.Transaction) => Promise<T>): Promise<T>;
  /** As `transaction`, but once, and not longer than this for a row that another one holds. */
  impatient<T>(
    lockTimeoutMs: number,
    work: (tx: Knex.Transaction) => Promise<T>,
  ): Promise<T>;
  /**
   * Writes the entities of pushes, of which no two are of one repository or name one entity; see `isOlder` for what never
   * overwrites. Answers in their order. `ConflictError` names the repository that holds one of the entities.
   */
  write(tx: Knex.Transaction, pushes: PushToStore[]): Promise<PushedEntities[]>;
  /**
   * The short way for a push that changes nothing: notes it, and answers true; or answers false, having done nothing, when
   * any of the entities is not stored with just this content. `stored` is what was read of them before.
   */
  confirm(
    push: PushToStore,
    stored: Map<string, StoredEntity>,
  ): Promise<boolean>;
  get(entityRef: string): Promise<StoredEntity | undefined>;
  /** The ones of these that are stored. */
  getMany(entityRefs: string[]): Promise<Map<string, StoredEntity>>;
  /** What a repository pushed itself and has not given up. */
  heldBy(repository: string): Promise<string[]>;
  /** Ordered by entity ref, from the one after `after`; without what was removed. */
  list(options: {
    after?: string;
    limit: number;
    repository?: string;
  }): Promise<StoredEntity[]>;
  /** Marks as removed what was gone before `goneBefore` (ms since 1970); answers what was. */
  removeGone(options: {
    goneBefore: number;
    limit: number;
    actor: string;
    now: number;
  }): Promise<string[]>;
  /** Forgets what was removed, and marks and ancestors noted, before this (ms since 1970). */
  forget(before: number): Promise<void>;
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
  /** Throws when the database does not answer. */
  ping(): Promise<void>;
}
