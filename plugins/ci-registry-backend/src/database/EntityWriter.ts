import { ConflictError } from '@backstage/errors';
import type {
  EntityChange,
  PushSource,
  RegisterOutcome,
} from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import type { EntityToStore, PushToStore, PushedEntities } from './EntityStore';
import {
  isOlder,
  loadAncestry,
  noteAncestors,
  type OrderedCommit,
} from './commitOrder';
import { appendChanges, type ChangeToAppend } from './history';
import {
  commitOf,
  completedBy,
  listHeld,
  listRemovals,
  lockRepository,
  noteComplete,
  noteRemovals,
} from './repositories';
import { chunk, enqueue, lockEntities, type EntityRow } from './rows';

type Kind = EntityChange['kind'];

/** What is stored of a source; its ancestors lie in a table of their own, once. */
export function sourceJson(source: PushSource): string {
  return JSON.stringify({ ...source, ancestors: undefined });
}

/** The commit of a stored row's newest push. */
function stored(row: EntityRow): OrderedCommit {
  return {
    commit: (JSON.parse(row.source) as PushSource).commit,
    time: Number(row.source_time),
  };
}

/** Writes the entities of one push, in its transaction. */
export class EntityWriter {
  readonly #tx: Knex.Transaction;
  readonly #push: PushToStore;
  readonly #time: number;
  readonly #source: string;
  readonly #changes: ChangeToAppend[] = [];

  constructor(tx: Knex.Transaction, push: PushToStore) {
    this.#tx = tx;
    this.#push = push;
    this.#time = Date.parse(push.source.time);
    this.#source = sourceJson(push.source);
  }

  async write(): Promise<PushedEntities> {
    const { source, entities, removed = [], complete, now } = this.#push;
    const repository = await lockRepository(this.#tx, source.repository, now);
    await noteAncestors(this.#tx, source, now);
    const pushed = new Set(entities.map(item => item.entityRef));
    const held = complete ? await listHeld(this.#tx, source.repository) : [];
    const givenUp = [
      ...new Set([...removed, ...held.filter(ref => !pushed.has(ref))]),
    ];
    const rows = await lockEntities(this.#tx, [...pushed, ...givenUp]);
    this.#refuseForeign([...pushed, ...removed], rows);

    // The marks matter where there is no row of the repository's own, which says the same.
    const isUnknown = (ref: string) =>
      rows.get(ref)?.repository !== source.repository;
    const removals = await listRemovals(
      this.#tx,
      source.repository,

      [...new Set([...pushed, ...removed])].filter(isUnknown),
    );
    const completed = completedBy(repository);
    const isAncestor = await loadAncestry(this.#tx, source, [
      ...[...rows.values()].map(row => stored(row).commit),
      ...removals.map(row => row.commit_sha),
      ...(completed ? [completed.commit] : []),
    ]);
    const older = (than: OrderedCommit) =>
      isOlder(this.#own(), than, isAncestor);

    const outcomes: RegisterOutcome[] = [];
    const touched: string[] = [];
    const created: EntityToStore[] = [];
    for (const item of entities) {
      const row = rows.get(item.entityRef);
      if (row?.repository === source.repository) {
        if (older(stored(row))) {
          outcomes.push('superseded');
        } else if (row.state === 'active' && row.content_hash === item.hash) {
          outcomes.push('unchanged');
          touched.push(item.entityRef);
        } else {
          outcomes.push(row.state === 'removed' ? 'created' : 'updated');
          await this.#replace(item, row);
        }
        continue;
      }
      const gone = removals.find(mark => mark.entity_ref === item.entityRef);
      if (
        (completed && !item.derived && older(completed)) ||
        (gone && older(commitOf(gone)))
      ) {
        outcomes.push('superseded');
      } else {
        outcomes.push('created');
        if (row) await this.#replace(item, row);
        else created.push(item);
      }
    }
    await this.#touch(touched);
    await this.#insert(created);

    const gone: string[] = [];
    const kept: PushedEntities['kept'] = [];
    for (const entityRef of givenUp) {
      const row = rows.get(entityRef);
      if (!row || row.state === 'removed') {
        if (!row) {
          kept.push({ entityRef, reason: 'was never pushed' });
        }
      } else if (older(stored(row))) {
        kept.push({
          entityRef,
          reason: `was pushed since, by commit ${stored(row).commit}`,
        });
      } else {
        gone.push(entityRef);
        await this.#giveUp(row);
      }
    }
    const superseded = new Set(
      removals
        .filter(mark => older(commitOf(mark)))
        .map(mark => mark.entity_ref),
    );
    await noteRemovals(
      this.#tx,
      source.repository,
      removed.filter(ref => isUnknown(ref) && !superseded.has(ref)),
      this.#own(),
      now,
    );
    if (complete && !(completed && older(completed))) {
      await noteComplete(this.#tx, source.repository, this.#own());
    }

    await appendChanges(this.#tx, this.#changes);
    await enqueue(this.#tx, this.#changes, now);
    return {
      outcomes,
      gone: gone.sort(),
      kept: kept.filter(({ entityRef }) => removed.includes(entityRef)),
      changed: this.#changes.length > 0,
    };
  }

  /** The commit that is pushed. */
  #own(): OrderedCommit {
    return { commit: this.#push.source.commit, time: this.#time };
  }

  #refuseForeign(entityRefs: string[], rows: Map<string, EntityRow>): void {
    const { repository } = this.#push.source;
    const foreign = entityRefs.flatMap(ref => {
      const row = rows.get(ref);
      return row && row.state !== 'removed' && row.repository !== repository
        ? [`${ref} belongs to ${row.repository}`]
        : [];
    });
    if (foreign.length) {
      throw new ConflictError(
        `Pushed from ${repository}, but ${foreign.join(
          ', ',
        )}. Rename the entity, or push it from the repository that holds it; nothing was stored`,
      );
    }
  }

  #note(
    kind: Kind,
    entityRef: string,
    version: number,
    before: string | undefined,
    after: string,
    hash: string,
  ): void {
    this.#changes.push({
      entityRef,
      version,
      kind,
      before,
      after,
      hash,
      time: this.#push.now,
      actor: this.#push.pushedBy,
      source: this.#source,
    });
  }

  async #touch(entityRefs: string[]): Promise<void> {
    for (const refs of chunk(entityRefs)) {
      await this.#tx<EntityRow>('entities').whereIn('entity_ref', refs).update({
        source: this.#source,
        source_time: this.#time,
        last_pushed_at: this.#push.now,
        pushed_by: this.#push.pushedBy,
      });
    }
  }

  /** New content, or an entity that comes back; also the row that another repository gave up for good. */
  async #replace(item: EntityToStore, row: EntityRow): Promise<void> {
    const { now, pushedBy, source } = this.#push;
    const kinds: Record<EntityRow['state'], Kind> = {
      active: 'updated',
      gone: 'restored',
      removed: row.repository === source.repository ? 'restored' : 'created',
    };
    const version = row.version + 1;
    await this.#tx<EntityRow>('entities')
      .where('entity_ref', item.entityRef)
      .update({
        entity: item.json,
        content_hash: item.hash,
        repository: source.repository,
        source: this.#source,
        source_time: this.#time,
        changed_by: this.#source,
        changed_at: now,
        last_pushed_at: now,
        pushed_by: pushedBy,
        version,
        state: 'active',
        gone_at: null,
        derived: Boolean(item.derived),
      });
    this.#note(
      kinds[row.state],
      item.entityRef,
      version,
      row.entity,
      item.json,
      item.hash,
    );
  }

  async #giveUp(row: EntityRow): Promise<void> {
    const { now, pushedBy } = this.#push;
    const already = row.state === 'gone';
    const version = row.version + (already ? 0 : 1);
    await this.#tx<EntityRow>('entities')
      .where('entity_ref', row.entity_ref)
      .update({
        source: this.#source,
        source_time: this.#time,
        last_pushed_at: now,
        pushed_by: pushedBy,
        ...(already
          ? {}
          : {
              version,
              state: 'gone',
              gone_at: now,
              changed_by: this.#source,
              changed_at: now,
            }),
      });
    if (!already) {
      this.#note(
        'gone',
        row.entity_ref,
        version,
        row.entity,
        row.entity,
        row.content_hash,
      );
    }
  }

  async #insert(items: EntityToStore[]): Promise<void> {
    const { now, pushedBy, source } = this.#push;
    // In order, as rows are locked.
    const sorted = [...items].sort((a, b) =>
      a.entityRef < b.entityRef ? -1 : 1,
    );
    for (const part of chunk(sorted)) {
      await this.#tx<EntityRow>('entities').insert(
        part.map(item => ({
          entity_ref: item.entityRef,
          entity: item.json,
          content_hash: item.hash,
          repository: source.repository,
          source: this.#source,
          source_time: this.#time,
          changed_by: this.#source,
          changed_at: now,
          first_pushed_at: now,
          last_pushed_at: now,
          pushed_by: pushedBy,
          version: 1,
          applied_version: 0,
          state: 'active' as const,
          gone_at: null,
          derived: Boolean(item.derived),
        })),
      );
      part.forEach(item =>
        this.#note(
          'created',
          item.entityRef,
          1,
          undefined,
          item.json,
          item.hash,
        ),
      );
    }
  }
}
