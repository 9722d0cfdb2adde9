import type { Entity } from '@backstage/catalog-model';
import type { PushSource } from './entities';

/** One change of one field, by RFC 6902 (JSON Patch) with the old value beside it. */
export interface FieldChange {
  op: 'add' | 'remove' | 'replace';
  /** JSON Pointer, RFC 6901. */
  path: string;
  before?: unknown;
  after?: unknown;
}

/** One change of an entity. */
export interface EntityChange {
  entityRef: string;
  /** Counts from 1 without gaps. */
  version: number;
  kind: 'created' | 'updated' | 'gone' | 'restored' | 'removed';
  /** When the registry accepted it, ISO 8601. */
  time: string;
  /** The pipeline's subject, a user or a service. */
  actor: string;
  source: PushSource;
  changes: FieldChange[];
}

/** Answer of `GET /history/:kind/:namespace/:name`, the newest first. */
export interface EntityHistoryPage {
  items: EntityChange[];
  nextCursor?: string;
}

/** Answer of `GET /history/:kind/:namespace/:name/:version`: the entity as it was, by replay of the log. */
export interface EntityVersion {
  change: EntityChange;
  entity: Entity;
  /** SHA-256 of the canonical JSON (RFC 8785), hexadecimal. */
  hash: string;
}
