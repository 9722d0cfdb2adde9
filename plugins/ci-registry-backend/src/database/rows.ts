import { setTimeout as sleep } from 'node:timers/promises';
import { isDatabaseConflictError } from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';
import type { EntityState, StoredEntity } from './EntityStore';

export type EntityRow = {
  entity_ref: string;
  entity: string;
  content_hash: string;
  repository: string;
  source: string;
  source_time: number | string;
  changed_by: string;
  pushed_by: string;
  changed_at: number | string;
  first_pushed_at: number | string;
  last_pushed_at: number | string;
  version: number;
  applied_version: number;
  state: EntityState;
  gone_at: number | string | null;
  /** SQLite answers 0 or 1. */
  derived: boolean | number;
};

export type OutboxRow = {
  entity_ref: string;
  version: number;
  priority: number;
  enqueued_at: number | string;
  claim_id: string | null;
  claimed_until: number | string;
};

const MAX_ATTEMPTS = 5;
const REPEAT_DELAY_MS = 20;
// Rows per statement: SQLite takes 32,766 values, an entity row has 16.
const BATCH = 500;

export function chunk<T>(items: T[]): T[][] {
  const chunks: T[][] = [];
  for (let i = 0; i < items.length; i += BATCH) {
    chunks.push(items.slice(i, i + BATCH));
  }
  return chunks;
}

export function toStored(row: EntityRow): StoredEntity {
  return {
    entityRef: row.entity_ref,
    entity: JSON.parse(row.entity),
    hash: row.content_hash,
    repository: row.repository,
    source: JSON.parse(row.source),
    changedBy: JSON.parse(row.changed_by),
    state: row.state,
    derived: Boolean(row.derived),
    ...(row.gone_at === null ? {} : { goneAt: Number(row.gone_at) }),
    changedAt: Number(row.changed_at),
    firstPushedAt: Number(row.first_pushed_at),
    lastPushedAt: Number(row.last_pushed_at),
    version: row.version,
    appliedVersion: row.applied_version,
  };
}

/** Two writers met: the same work, done again, succeeds. */
export function isWorthRepeating(error: unknown): boolean {
  const code = (error as { code?: string } | undefined)?.code;
  return isDatabaseConflictError(error) || code === '40P01' || code === '40001';
}

/** In one transaction; does the work again when another writer got in between. */
export async function repeating<T>(
  db: Knex,
  work: (tx: Knex.Transaction) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction(work);
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !isWorthRepeating(error)) {
        throw error;
      }
      // Not at the same moment as the other one, which may be repeating as well.
      await sleep(Math.random() * REPEAT_DELAY_MS * attempt);
    }
  }
}

/** Locks the rows of these entities, always in the same order, so that two pushes wait for each other instead of locking up. */
export async function lockEntities(
  tx: Knex.Transaction,
  entityRefs: string[],
): Promise<Map<string, EntityRow>> {
  const found = new Map<string, EntityRow>();
  for (const refs of chunk([...entityRefs].sort())) {
    const rows: EntityRow[] = await tx<EntityRow>('entities')
      .whereIn('entity_ref', refs)
      .orderBy('entity_ref')
      .forUpdate();
    rows.forEach(row => found.set(row.entity_ref, row));
  }
  return found;
}

/** Puts changes in the queue; what is claimed stays claimed, so one entity is never in two hands. */
export async function enqueue(
  tx: Knex.Transaction,
  changes: { entityRef: string; version: number }[],
  now: number,
): Promise<void> {
  const sorted = [...changes].sort((a, b) =>
    a.entityRef < b.entityRef ? -1 : 1,
  );
  for (const part of chunk(sorted)) {
    await tx<OutboxRow>('outbox')
      .insert(
        part.map(change => ({
          entity_ref: change.entityRef,
          version: change.version,
          priority: 0,
          enqueued_at: now,
          claimed_until: 0,
        })),
      )
      .onConflict('entity_ref')
      .merge(['version', 'priority']);
  }
}
