import {
  type DatabaseService,
  resolvePackagePath,
} from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';
import type {
  EntityStore,
  PushToStore,
  PushedEntities,
  StoredClaim,
  StoredEntity,
} from './EntityStore';
import { DatabaseOutbox } from './DatabaseOutbox';
import { Together } from '../service/Together';
import { EntityWriter } from './EntityWriter';
import { isOlder, loadAncestry, noteAncestors } from './commitOrder';
import { sourceJson } from './decidePush';
import { appendChanges, type ChangeRow, type ChangeToAppend } from './history';
import { listHeld } from './repositories';
import {
  chunk,
  enqueue,
  isWorthRepeating,
  repeating,
  toStored,
  type EntityRow,
} from './rows';

/** Beyond this the statement of the short way is no shorter than the long way. */
const MAX_CONFIRMED = 50;

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
  readonly #reads = new Together<string[], Map<string, StoredEntity>>(
    async questions => {
      const found = await this.#read([...new Set(questions.flat())]);
      return questions.map(
        refs =>
          new Map(
            refs.flatMap(ref => {
              const stored = found.get(ref);
              return stored ? [[ref, stored] as const] : [];
            }),
          ),
      );
    },
  );

  private constructor(db: Knex) {
    this.#db = db;
    this.#outbox = new DatabaseOutbox(db);
  }

  transaction<T>(work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
    return repeating(this.#db, work);
  }

  impatient<T>(
    lockTimeoutMs: number,
    work: (tx: Knex.Transaction) => Promise<T>,
  ): Promise<T> {
    return this.#db.transaction(async tx => {
      if (this.#db.client.config.client === 'pg') {
        await tx.raw(`set local lock_timeout = ${Math.round(lockTimeoutMs)}`);
      }
      return work(tx);
    });
  }

  write(
    tx: Knex.Transaction,
    pushes: PushToStore[],
  ): Promise<PushedEntities[]> {
    return new EntityWriter(tx, pushes).write();
  }

  async confirm(
    push: PushToStore,
    stored: Map<string, StoredEntity>,
  ): Promise<boolean> {
    const { source, now } = push;
    const time = Date.parse(source.time);
    const rows = push.entities.map(item => stored.get(item.entityRef));
    const same = rows.every(
      (row, index) =>
        row?.state === 'active' &&
        row.repository === source.repository &&
        row.hash === push.entities[index].hash,
    );
    if (!same || rows.length > MAX_CONFIRMED) return false;
    const known = rows as StoredEntity[];
    const isRepeated = known.every(
      row => JSON.stringify(row.source) === sourceJson(source),
    );
    if (isRepeated) return true;
    await noteAncestors(this.#db, [{ source, now }]);
    const [isAncestor] = await loadAncestry(this.#db, [
      { source, others: known.map(row => row.source.commit) },
    ]);
    const older = known.some(row =>
      isOlder(
        { commit: source.commit, time },
        { commit: row.source.commit, time: Date.parse(row.source.time) },
        isAncestor,
      ),
    );
    if (older) return false;
    try {
      return await this.#touch(push, known);
    } catch (error) {
      // Two met over the same rows; the long way takes them in order.
      if (isWorthRepeating(error)) return false;
      throw error;
    }
  }

  async get(entityRef: string): Promise<StoredEntity | undefined> {
    const row = await this.#db<EntityRow>('entities')
      .where('entity_ref', entityRef)
      .first();
    return row && toStored(row);
  }

  async getMany(entityRefs: string[]): Promise<Map<string, StoredEntity>> {
    return entityRefs.length ? this.#reads.ask(entityRefs) : new Map();
  }

  async #read(entityRefs: string[]): Promise<Map<string, StoredEntity>> {
    const found = new Map<string, StoredEntity>();
    for (const refs of chunk(entityRefs)) {
      const rows = await this.#db<EntityRow>('entities').whereIn(
        'entity_ref',
        refs,
      );
      rows.forEach(row => found.set(row.entity_ref, toStored(row)));
    }
    return found;
  }

  heldBy(repository: string): Promise<string[]> {
    return listHeld(this.#db, repository);
  }

  async list(options: {
    after?: string;
    limit: number;
    repository?: string;
  }): Promise<StoredEntity[]> {
    const query = this.#db<EntityRow>('entities')
      .whereNot('state', 'removed')
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

  removeGone(options: {
    goneBefore: number;
    limit: number;
    actor: string;
    now: number;
  }): Promise<string[]> {
    return repeating(this.#db, async tx => {
      const due = tx<EntityRow>('entities')
        .where('state', 'gone')
        .where('gone_at', '<=', options.goneBefore)
        .orderBy('entity_ref')
        .limit(options.limit)
        .forUpdate();
      const rows: EntityRow[] = await (this.#db.client.config.client === 'pg'
        ? due.skipLocked()
        : due);
      const changes = rows.map(
        (row): ChangeToAppend => ({
          entityRef: row.entity_ref,
          version: row.version + 1,
          kind: 'removed',
          before: row.entity,
          after: row.entity,
          hash: row.content_hash,
          time: options.now,
          actor: options.actor,
          source: row.source,
        }),
      );
      for (const part of chunk(rows)) {
        await tx<EntityRow>('entities')
          .whereIn(
            'entity_ref',
            part.map(row => row.entity_ref),
          )
          .update({
            state: 'removed',
            version: tx.raw('version + 1') as unknown as number,
            changed_at: options.now,
          });
      }
      await appendChanges(tx, changes);
      await enqueue(tx, changes, options.now);
      return changes.map(change => change.entityRef);
    });
  }

  async forget(before: number): Promise<void> {
    await repeating(this.#db, async tx => {
      // Only what the catalog has dropped as well.
      const rows: EntityRow[] = await tx<EntityRow>('entities')
        .where('state', 'removed')
        .where('changed_at', '<', before)
        .whereRaw('applied_version >= version')
        .orderBy('entity_ref')
        .forUpdate();
      for (const part of chunk(rows.map(row => row.entity_ref))) {
        await tx<ChangeRow>('entity_changes')
          .whereIn('entity_ref', part)
          .delete();
        await tx('outbox').whereIn('entity_ref', part).delete();
        await tx<EntityRow>('entities').whereIn('entity_ref', part).delete();
      }
    });
    await this.#db('removals').where('noted_at', '<', before).delete();
    await this.#db('commits').where('noted_at', '<', before).delete();
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

  async ping(): Promise<void> {
    await this.#db.raw('select 1');
  }

  /** Notes the push on rows that nobody wrote to since they were read; false when somebody did. */
  async #touch(push: PushToStore, known: StoredEntity[]): Promise<boolean> {
    const updated = await this.#db<EntityRow>('entities')
      .where(query => {
        for (const row of known) {
          query.orWhere({
            entity_ref: row.entityRef,
            version: row.version,
            source_time: Date.parse(row.source.time),
          });
        }
      })
      .update({
        source: sourceJson(push.source),
        source_time: Date.parse(push.source.time),
        last_pushed_at: push.now,
        pushed_by: push.pushedBy,
      });
    return updated === known.length;
  }
}
