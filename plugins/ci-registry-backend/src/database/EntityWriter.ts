import { ConflictError } from '@backstage/errors';
import type {
  EntityChange,
  PushSource,
  RegisterOutcome,
} from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import type { EntityToStore, PushToStore, PushedEntities } from './EntityStore';
import { isOlder, loadAncestry, noteAncestors } from './commitOrder';
import { appendChanges, type ChangeToAppend } from './history';
import { chunk, enqueue, lockEntities, type EntityRow } from './rows';

type RepositoryRow = {
  repository: string;
  complete_commit: string | null;
  complete_time: number | string | null;
  last_pushed_at: number | string;
};

type RemovalRow = {
  repository: string;
  entity_ref: string;
  commit_sha: string;
  source_time: number | string;
  noted_at: number | string;
};

type Kind = EntityChange['kind'];

/** What is stored of a source; its ancestors lie in a table of their own, once. */
export function sourceJson(source: PushSource): string {
  return JSON.stringify({ ...source, ancestors: undefined });
}

/** The commit of a stored row's newest push. */
function stored(row: EntityRow): { commit: string; time: number } {
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
    const repository = await this.#lockRepository();
    await noteAncestors(this.#tx, source, now);
    const pushed = new Set(entities.map(item => item.entityRef));
    const held = complete ? await this.#held() : [];
    const givenUp = [
      ...new Set([...removed, ...held.filter(ref => !pushed.has(ref))]),
    ];
    const rows = await lockEntities(this.#tx, [...pushed, ...givenUp]);
    this.#refuseForeign([...pushed, ...removed], rows);

    // The marks matter where there is no row of the repository's own, which says the same.
    const isUnknown = (ref: string) =>
      rows.get(ref)?.repository !== source.repository;
    const removals = await this.#removals(
      [...new Set([...pushed, ...removed])].filter(isUnknown),
    );
    const completed =
      repository.complete_commit === null
        ? undefined
        : {
            commit: repository.complete_commit,
            time: Number(repository.complete_time),
          };
    const isAncestor = await loadAncestry(this.#tx, source, [
      ...[...rows.values()].map(row => stored(row).commit),
      ...removals.map(row => row.commit_sha),
      ...(completed ? [completed.commit] : []),
    ]);
    const older = (than: { commit: string; time: number }) =>
      isOlder({ commit: source.commit, time: this.#time }, than, isAncestor);

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
        (gone &&
          older({ commit: gone.commit_sha, time: Number(gone.source_time) }))
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
    await this.#noteRemovals(removed.filter(isUnknown), removals, older);
    if (complete && !(completed && older(completed))) {
      await this.#tx<RepositoryRow>('repositories')
        .where('repository', source.repository)
        .update({
          complete_commit: source.commit,
          complete_time: this.#time,
        });
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

  /** Pushes of one repository come one after the other, so that none misses what another one is just storing. */
  async #lockRepository(): Promise<RepositoryRow> {
    const { source, now } = this.#push;
    const [row] = await this.#tx<RepositoryRow>('repositories')
      .insert({ repository: source.repository, last_pushed_at: now })
      .onConflict('repository')
      .merge(['last_pushed_at'])
      .returning('*');
    return row;
  }

  async #held(): Promise<string[]> {
    const rows = await this.#tx<EntityRow>('entities')
      .where({
        repository: this.#push.source.repository,
        state: 'active',
        derived: false,
      })
      .select('entity_ref');
    return rows.map(row => row.entity_ref);
  }

  async #removals(entityRefs: string[]): Promise<RemovalRow[]> {
    const found: RemovalRow[] = [];
    for (const refs of chunk(entityRefs)) {
      found.push(
        ...(await this.#tx<RemovalRow>('removals')
          .whereIn('entity_ref', refs)
          .where('repository', this.#push.source.repository)),
      );
    }
    return found;
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

  /** So that an older push that comes late does not bring back what this one gave up. */
  async #noteRemovals(
    removed: string[],
    noted: RemovalRow[],
    older: (than: { commit: string; time: number }) => boolean,
  ): Promise<void> {
    const { source, now } = this.#push;
    const before = new Map(noted.map(row => [row.entity_ref, row]));
    const newer = [...new Set(removed)].sort().filter(ref => {
      const row = before.get(ref);
      return !(
        row && older({ commit: row.commit_sha, time: Number(row.source_time) })
      );
    });
    for (const part of chunk(newer)) {
      await this.#tx<RemovalRow>('removals')
        .insert(
          part.map(entityRef => ({
            repository: source.repository,
            entity_ref: entityRef,
            commit_sha: source.commit,
            source_time: this.#time,
            noted_at: now,
          })),
        )
        .onConflict(['entity_ref', 'repository'])
        .merge();
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
