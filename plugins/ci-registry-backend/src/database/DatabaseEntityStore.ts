import {
  type DatabaseService,
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
import { DatabaseOutbox } from './DatabaseOutbox';
import {
  chunk,
  enqueue,
  lockEntities,
  repeating,
  toStored,
  type EntityRow,
} from './rows';

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
  readonly #outbox: DatabaseOutbox;

  private constructor(db: Knex) {
    this.#db = db;
    this.#outbox = new DatabaseOutbox(db);
  }

  async push(push: PushToStore): Promise<RegisterOutcome[]> {
    return repeating(this.#db, tx => this.#push(tx, push));
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

  claim(options: {
    limit: number;
    now: number;
    leaseMs: number;
  }): Promise<StoredClaim> {
    return this.#outbox.claim(options);
  }

  acknowledge(
    claimId: string,
    changes: { entityRef: string; version: number }[],
    now: number,
  ): Promise<void> {
    return this.#outbox.acknowledge(claimId, changes, now);
  }

  repeatAll(now: number): Promise<number> {
    return this.#outbox.repeatAll(now);
  }

  async #push(
    tx: Knex.Transaction,
    push: PushToStore,
  ): Promise<RegisterOutcome[]> {
    const { source } = push;
    const time = Date.parse(source.time);
    const existing = await lockEntities(
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
    await enqueue(tx, changed, push.now);
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
}
