import type { Knex } from 'knex';
import type { OrderedCommit } from './commitOrder';
import { chunk, type EntityRow } from './rows';

export type RepositoryRow = {
  repository: string;
  complete_commit: string | null;
  complete_time: number | string | null;
  last_pushed_at: number | string;
};

export type RemovalRow = {
  repository: string;
  entity_ref: string;
  commit_sha: string;
  source_time: number | string;
  noted_at: number | string;
};

/** The commit that gave an entity up. */
export function commitOf(row: RemovalRow): OrderedCommit {
  return { commit: row.commit_sha, time: Number(row.source_time) };
}

/** The newest commit that named all entities of its repository. */
export function completedBy(row: RepositoryRow): OrderedCommit | undefined {
  return row.complete_commit === null
    ? undefined
    : { commit: row.complete_commit, time: Number(row.complete_time) };
}

/**
 * Pushes of one repository come one after the other, so that none misses what another one is just storing. Of several repositories the
 * rows are locked in the order of their names, so that two groups of pushes wait for each other instead of locking up.
 */
export async function lockRepositories(
  tx: Knex.Transaction,
  pushes: { repository: string; now: number }[],
): Promise<Map<string, RepositoryRow>> {
  const rows: RepositoryRow[] = await tx<RepositoryRow>('repositories')
    .insert(
      [...pushes]
        .sort((a, b) => (a.repository < b.repository ? -1 : 1))
        .map(({ repository, now }) => ({ repository, last_pushed_at: now })),
    )
    .onConflict('repository')
    .merge(['last_pushed_at'])
    .returning('*');
  return new Map(rows.map(row => [row.repository, row]));
}

export async function noteComplete(
  tx: Knex.Transaction,
  repository: string,
  { commit, time }: OrderedCommit,
): Promise<void> {
  await tx<RepositoryRow>('repositories')
    .where('repository', repository)
    .update({ complete_commit: commit, complete_time: time });
}

/** What a repository pushed itself and has not given up. */
export async function listHeld(
  db: Knex,
  repository: string,
): Promise<string[]> {
  const rows = await db<EntityRow>('entities')
    .where({ repository, state: 'active', derived: false })
    .orderBy('entity_ref')
    .select('entity_ref');
  return rows.map(row => row.entity_ref);
}

/** The marks that repositories left on these entities when they gave them up. */
export async function listRemovals(
  tx: Knex.Transaction,
  repositories: string[],
  entityRefs: string[],
): Promise<RemovalRow[]> {
  const found: RemovalRow[] = [];
  for (const refs of chunk(entityRefs)) {
    found.push(
      ...(await tx<RemovalRow>('removals')
        .whereIn('entity_ref', refs)
        .whereIn('repository', repositories)),
    );
  }
  return found;
}

/** So that an older push that comes late does not bring back what this one gave up. */
export async function noteRemovals(
  tx: Knex.Transaction,
  repository: string,
  entityRefs: string[],
  { commit, time }: OrderedCommit,
  now: number,
): Promise<void> {
  for (const part of chunk([...new Set(entityRefs)].sort())) {
    await tx<RemovalRow>('removals')
      .insert(
        part.map(entityRef => ({
          repository,
          entity_ref: entityRef,
          commit_sha: commit,
          source_time: time,
          noted_at: now,
        })),
      )
      .onConflict(['entity_ref', 'repository'])
      .merge();
  }
}
