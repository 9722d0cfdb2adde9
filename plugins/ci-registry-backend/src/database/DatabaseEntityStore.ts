import { randomUUID } from 'node:crypto';
import {
  type DatabaseService,
  isDatabaseConflictError,
  resolvePackagePath,
} from '@backstage/backend-plugin-api';
import { ConflictError } from '@backstage/errors';
import type { RegisterOutcome } from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import type {
  EntityStore,
  EntityToStore,
  PushToStore,
  StoredClaim,
  StoredEntity,
} from './EntityStore';

type EntityRow = {
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
};

type OutboxRow = {
  entity_ref: string;
  version: number;
  priority: number;
  enqueued_at: number | string;
  claim_id: string | null;
  claimed_until: number | string;
};

const MAX_ATTEMPTS = 5;
// Rows per statement: SQLite takes 32,766 values, an entity row has 13.
const BATCH = 500;

function chunk<T>(items: T[]): T[][] {
  const chunks: T[][] = [];
  for (let i = 0; i < items.length; i += BATCH) {
    chunks.push(items.slice(i, i + BATCH));
  }
  return chunks;
}

function toStored(row: EntityRow): StoredEntity {
  return {
    entityRef: row.entity_ref,
    entity: JSON.parse(row.entity),
    repository: row.repository,
    source: JSON.parse(row.source),
    changedBy: JSON.parse(row.changed_by),
    changedAt: Number(row.changed_at),
    firstPushedAt: Number(row.first_pushed_at),
    lastPushedAt: Number(row.last_pushed_at),
    version: row.version,
    appliedVersion: row.applied_version,
  };
}

/** Two writers met: the same work, done again, succeeds. */
function isWorthRepeating(error: unknown): boolean {
  const code = (error as { code?: string } | undefined)?.code;
  return isDatabaseConflictError(error) || code === '40P01' || code === '40001';
}

export class DatabaseEntityStore implements EntityStore {
  static async create(options: {
    database: DatabaseService;
  }): Promise<DatabaseEntityStore> {
    const knex = await options.database.getClient();
    if (!options.database.migrations?.skip) {
      await knex.migrate.latest({
        directory: resolvePackagePath(
          '@rocket/plugin-ci-registry-backend',
          'migrations',
        ),
      });
    }
    return new DatabaseEntityStore(knex);
  }

  readonly #db: Knex;

  private constructor(db: Knex) {
    this.#db = db;
  }

  async push(push: PushToStore): Promise<RegisterOutcome[]> {
    return this.#repeating(tx => this.#push(tx, push));
  }

  async get(entityRef: string): Promise<StoredEntity | undefined> {
    const row = await this.#db<EntityRow>('entities')
      .where('entity_ref', entityRef)
      .first();
    return row && toStored(row);
  }

  async known(entityRefs: string[]): Promise<Set<string>> {
    const found = new Set<string>();
    for (const refs of chunk(entityRefs)) {
      const rows = await this.#db<EntityRow>('entities')
        .whereIn('entity_ref', refs)
        .select('entity_ref');
      rows.forEach(row => found.add(row.entity_ref));
    }
    return found;
  }

  async list(options: {
    after?: string;
    limit: number;
    repository?: string;
  }): Promise<StoredEntity[]> {
    const query = this.#db<EntityRow>('entities')
      .orderBy('entity_ref')
      .limit(options.limit);
    if (options.after !== undefined) {
      query.where('entity_ref', '>', options.after);
    }
    if (options.repository !== undefined) {
      query.where('repository', options.repository);
    }
    return (await query).map(toStored);
  }

  async claim(options: {
    limit: number;
    now: number;
    leaseMs: number;
  }): Promise<StoredClaim> {
    const claimId = randomUUID();
    const claimed = await this.#repeating(async tx => {
      const free = tx<OutboxRow>('outbox')
        .where('claimed_until', '<=', options.now)
        .orderBy(['priority', 'enqueued_at', 'entity_ref'])
        .limit(options.limit)
        .forUpdate();
      const rows: OutboxRow[] = await (this.#isPostgres()
        ? free.skipLocked()
        : free);
      for (const part of chunk(rows)) {
        await tx<OutboxRow>('outbox')
          .whereIn(
            'entity_ref',
            part.map(row => row.entity_ref),
          )
          .update({
            claim_id: claimId,
            claimed_until: options.now + options.leaseMs,
          });
      }
      return rows;
    });
    // Read after the claim: a change that came in between is handed out at once, and
    // acknowledged with the version that was handed out.
    const byRef = new Map<string, StoredEntity>();
    for (const part of chunk(claimed)) {
      const rows = await this.#db<EntityRow>('entities').whereIn(
        'entity_ref',
        part.map(row => row.entity_ref),
      );
      rows.forEach(row => byRef.set(row.entity_ref, toStored(row)));
    }
    return {
      claimId,
      changes: claimed.flatMap(row => {
        const stored = byRef.get(row.entity_ref);
        return stored
          ? [{ stored, repeated: stored.appliedVersion >= stored.version }]
          : [];
      }),
    };
  }

  async acknowledge(
    claimId: string,
    changes: { entityRef: string; version: number }[],
    now: number,
  ): Promise<void> {
    for (const part of chunk(changes)) {
      await this.#repeating(tx => this.#acknowledge(tx, claimId, part, now));
    }
  }

  async repeatAll(now: number): Promise<number> {
    const waiting = async () => {
      const [row] = await this.#db('outbox').count({ n: '*' });
      return Number(row.n);
    };
    const before = await waiting();
    await this.#db.raw(
      `insert into outbox (entity_ref, version, priority, enqueued_at, claimed_until)
       select entity_ref, version, 1, ?, 0 from entities where 1 = 1
       on conflict (entity_ref) do nothing`,
      [now],
    );
    return Math.max(0, (await waiting()) - before);
  }

  async #push(
    tx: Knex.Transaction,
    push: PushToStore,
  ): Promise<RegisterOutcome[]> {
    const { source } = push;
    const time = Date.parse(source.time);
    const existing = await this.#lock(
      tx,
      push.entities.map(item => item.entityRef),
    );

    const foreign = push.entities.flatMap(item => {
      const row = existing.get(item.entityRef);
      return row && row.repository !== source.repository
        ? [`${item.entityRef} belongs to ${row.repository}`]
        : [];
    });
    if (foreign.length) {
      throw new ConflictError(
        `Pushed from ${source.repository}, but ${foreign.join(
          ', ',
        )}. Rename the entity, or push it from the repository that holds it; nothing was stored`,
      );
    }

    const outcomes: RegisterOutcome[] = [];
    const created: EntityToStore[] = [];
    const changed: { entityRef: string; version: number }[] = [];
    for (const item of push.entities) {
      const row = existing.get(item.entityRef);
      if (!row) {
        outcomes.push('created');
        created.push(item);
        changed.push({ entityRef: item.entityRef, version: 1 });
      } else if (time < Number(row.source_time)) {
        outcomes.push('superseded');
      } else if (row.content_hash === item.hash) {
        outcomes.push('unchanged');
        await this.#touch(tx, item.entityRef, push, time);
      } else {
        outcomes.push('updated');
        await this.#update(tx, item, row, push, time);
        changed.push({ entityRef: item.entityRef, version: row.version + 1 });
      }
    }
    await this.#insert(tx, created, push, time);
    await this.#enqueue(tx, changed, push.now);
    return outcomes;
  }

  async #touch(
    tx: Knex.Transaction,
    entityRef: string,
    push: PushToStore,
    time: number,
  ): Promise<void> {
    await tx<EntityRow>('entities')
      .where('entity_ref', entityRef)
      .update({
        source: JSON.stringify(push.source),
        source_time: time,
        last_pushed_at: push.now,
        pushed_by: push.pushedBy,
      });
  }

  async #update(
    tx: Knex.Transaction,
    item: EntityToStore,
    row: EntityRow,
    push: PushToStore,
    time: number,
  ): Promise<void> {
    const source = JSON.stringify(push.source);
    await tx<EntityRow>('entities')
      .where('entity_ref', item.entityRef)
      .update({
        entity: item.json,
        content_hash: item.hash,
        source,
        source_time: time,
        changed_by: source,
        changed_at: push.now,
        last_pushed_at: push.now,
        pushed_by: push.pushedBy,
        version: row.version + 1,
      });
  }

  async #insert(
    tx: Knex.Transaction,
    items: EntityToStore[],
    push: PushToStore,
    time: number,
  ): Promise<void> {
    const source = JSON.stringify(push.source);
    // In order, as in #lock.
    const sorted = [...items].sort((a, b) =>
      a.entityRef < b.entityRef ? -1 : 1,
    );
    for (const part of chunk(sorted)) {
      await tx<EntityRow>('entities').insert(
        part.map(item => ({
          entity_ref: item.entityRef,
          entity: item.json,
          content_hash: item.hash,
          repository: push.source.repository,
          source,
          source_time: time,
          changed_by: source,
          changed_at: push.now,
          first_pushed_at: push.now,
          last_pushed_at: push.now,
          pushed_by: push.pushedBy,
          version: 1,
          applied_version: 0,
        })),
      );
    }
  }

  async #acknowledge(
    tx: Knex.Transaction,
    claimId: string,
    changes: { entityRef: string; version: number }[],
    now: number,
  ): Promise<void> {
    const entities = await this.#lock(
      tx,
      changes.map(change => change.entityRef),
    );
    const held = new Set(
      (
        await tx<OutboxRow>('outbox')
          .where('claim_id', claimId)
          .whereIn('entity_ref', [...entities.keys()])
          .select('entity_ref')
      ).map(row => row.entity_ref),
    );
    const done: string[] = [];
    const newer: string[] = [];
    const lost: { entityRef: string; version: number }[] = [];
    for (const { entityRef, version } of changes) {
      const entity = entities.get(entityRef);
      if (!entity) {
        continue;
      }
      if (!held.has(entityRef)) {
        // Too late: another took it meanwhile, and this old version may have been
        // written after its newer one. Whoever comes next puts that right.
        lost.push({ entityRef, version: entity.version });
      } else if (version >= entity.version) {
        done.push(entityRef);
      } else {
        newer.push(entityRef);
      }
    }
    await tx<OutboxRow>('outbox').whereIn('entity_ref', done).delete();
    await tx<EntityRow>('entities')
      .whereIn('entity_ref', done)
      .update({ applied_version: tx.ref('version') as unknown as number });
    await tx<OutboxRow>('outbox')
      .whereIn('entity_ref', newer)
      .update({ claim_id: null, claimed_until: 0 });
    await this.#enqueue(tx, lost, now);
  }

  /** Always in the same order, so that two pushes wait for each other instead of locking up. */
  async #lock(
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

  async #enqueue(
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
        // The claim stays: one entity is never in two hands.
        .merge(['version', 'priority']);
    }
  }

  #isPostgres(): boolean {
    return this.#db.client.config.client === 'pg';
  }

  async #repeating<T>(work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#db.transaction(work);
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isWorthRepeating(error)) {
          throw error;
        }
      }
    }
  }
}
