import type { Knex } from 'knex';
import { loadAncestry, noteAncestors } from './commitOrder';
import {
  decidePush,
  sourceJson,
  storedCommit,
  type DecidedPush,
} from './decidePush';
import type { PushToStore, PushedEntities } from './EntityStore';
import { appendChanges } from './history';
import {
  completedBy,
  listHeld,
  listRemovals,
  lockRepositories,
  noteComplete,
  noteRemovals,
  type RemovalRow,
} from './repositories';
import { chunk, enqueue, lockEntities, type EntityRow } from './rows';

/** What an update of a row leaves as it is. */
const KEPT_COLUMNS = ['entity_ref', 'first_pushed_at', 'applied_version'];

const byRef = (a: EntityRow, b: EntityRow) =>
  a.entity_ref < b.entity_ref ? -1 : 1;

/**
 * Writes the entities of pushes, in their transaction: reads what is stored of all of them, decides each, and writes it, as many rows in
 * one statement as there are. No two of the pushes may be of one repository or name one entity.
 */
export class EntityWriter {
  readonly #tx: Knex.Transaction;
  readonly #pushes: PushToStore[];

  constructor(tx: Knex.Transaction, pushes: PushToStore[]) {
    this.#tx = tx;
    this.#pushes = pushes;
  }

  /** In the order of the pushes. Throws when one of them cannot be written, and then none may be. */
  async write(): Promise<PushedEntities[]> {
    const decided = await this.#decide();
    const rows = (which: 'inserted' | 'updated') =>
      decided.flatMap(one => one[which]).sort(byRef);
    await this.#touch(decided);
    for (const part of chunk(rows('inserted'))) {
      await this.#tx<EntityRow>('entities').insert(part);
    }
    for (const part of chunk(rows('updated'))) {
      await this.#tx<EntityRow>('entities')
        .insert(part)
        .onConflict('entity_ref')
        .merge(
          Object.keys(part[0]).filter(
            column => !KEPT_COLUMNS.includes(column),
          ) as (keyof EntityRow)[],
        );
    }
    for (const [index, { marked, completes }] of decided.entries()) {
      const { source, now } = this.#pushes[index];
      const own = { commit: source.commit, time: Date.parse(source.time) };
      await noteRemovals(this.#tx, source.repository, marked, own, now);
      if (completes) await noteComplete(this.#tx, source.repository, own);
    }
    const changes = decided.flatMap(one => one.changes);
    await appendChanges(this.#tx, changes);
    await enqueue(
      this.#tx,
      changes,
      Math.max(...this.#pushes.map(({ now }) => now)),
    );
    return decided.map(({ result }) => result);
  }

  async #decide(): Promise<DecidedPush[]> {
    const pushes = this.#pushes;
    const repositories = await lockRepositories(
      this.#tx,
      pushes.map(({ source: { repository }, now }) => ({ repository, now })),
    );
    await noteAncestors(this.#tx, pushes);
    const wanted: { pushed: string[]; removed: string[]; givenUp: string[] }[] =
      [];
    for (const { source, entities, removed = [], complete } of pushes) {
      const pushed = entities.map(item => item.entityRef);
      const held = complete ? await listHeld(this.#tx, source.repository) : [];
      const named = new Set(pushed);
      const givenUp = [
        ...new Set([...removed, ...held.filter(ref => !named.has(ref))]),
      ];
      wanted.push({ pushed, removed, givenUp });
    }
    const rows = await lockEntities(
      this.#tx,
      wanted.flatMap(({ pushed, givenUp }) => [...pushed, ...givenUp]),
    );
    // The marks matter where there is no row of the repository's own, which says the same.
    const unknown = new Map<string, string>();
    wanted.forEach(({ pushed, removed }, index) => {
      const { repository } = pushes[index].source;
      [...pushed, ...removed]
        .filter(ref => rows.get(ref)?.repository !== repository)
        .forEach(ref => unknown.set(ref, repository));
    });
    const removals = new Map<string, RemovalRow[]>();
    for (const mark of await listRemovals(
      this.#tx,
      [...new Set(unknown.values())],
      [...unknown.keys()],
    )) {
      if (unknown.get(mark.entity_ref) === mark.repository) {
        removals.set(mark.repository, [
          ...(removals.get(mark.repository) ?? []),
          mark,
        ]);
      }
    }
    const known = pushes.map(({ source: { repository } }, index) => {
      const { pushed, givenUp } = wanted[index];
      return {
        repository: repositories.get(repository)!,
        givenUp,
        rows: new Map(
          [...pushed, ...givenUp].flatMap(ref => {
            const row = rows.get(ref);
            return row ? [[ref, row] as const] : [];
          }),
        ),
        removals: removals.get(repository) ?? [],
      };
    });
    const ancestries = await loadAncestry(
      this.#tx,
      pushes.map(({ source }, index) => {
        const of = known[index];
        const completed = completedBy(of.repository);
        return {
          source,
          others: [
            ...[...of.rows.values()].map(row => storedCommit(row).commit),
            ...of.removals.map(row => row.commit_sha),
            ...(completed ? [completed.commit] : []),
          ],
        };
      }),
    );
    return pushes.map((push, index) =>
      decidePush(push, { ...known[index], isAncestor: ancestries[index] }),
    );
  }

  /** Rows of which only the newest push is to be noted. */
  async #touch(decided: DecidedPush[]): Promise<void> {
    const rows = decided.flatMap(({ touched }, index) => {
      const { source, now, pushedBy } = this.#pushes[index];
      const json = sourceJson(source);
      return touched.map(ref => [
        ref,
        json,
        Date.parse(source.time),
        now,
        pushedBy,
      ]);
    });
    for (const part of chunk(rows)) {
      // PostgreSQL and SQLite both name the columns of values so.
      await this.#tx.raw(
        `update entities set source = v.column2, source_time = cast(v.column3 as bigint),
           last_pushed_at = cast(v.column4 as bigint), pushed_by = v.column5
         from (values ${part.map(() => '(?, ?, ?, ?, ?)').join(', ')}) as v
         where entities.entity_ref = v.column1`,
        part.flat(),
      );
    }
  }
}
