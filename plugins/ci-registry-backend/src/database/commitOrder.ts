import type { PushSource } from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import { chunk } from './rows';

/** A commit and the time of the pipeline that pushed it, ms since 1970. */
export interface OrderedCommit {
  commit: string;
  time: number;
}

export type CommitRow = {
  repository: string;
  commit_sha: string;
  ancestors: string;
  noted_at: number | string;
};

/**
 * True when what `incoming` says is older than what `stored` said, and must not overwrite it:
 * 1. of two pushes of one commit the one with the earlier pipeline time is older;
 * 2. of two commits the ancestor is older, as far as the pushes of either named their ancestors, whatever the clocks say;
 * 3. where no push said how two commits are related, the earlier pipeline time is older;
 * 4. at equal times the commit with the lower id is older: a choice without meaning, but the same in every order of arrival.
 */
export function isOlder(
  incoming: OrderedCommit,
  stored: OrderedCommit,
  isAncestor: (ancestor: string, commit: string) => boolean,
): boolean {
  if (incoming.commit !== stored.commit) {
    if (isAncestor(stored.commit, incoming.commit)) return false;
    if (isAncestor(incoming.commit, stored.commit)) return true;
    if (incoming.time === stored.time) return incoming.commit < stored.commit;
  }
  return incoming.time < stored.time;
}

/** Keeps what pushes say of their commits' ancestors; what was said first stays, for a commit's ancestors cannot change. */
export async function noteAncestors(
  db: Knex,
  pushes: { source: PushSource; now: number }[],
): Promise<void> {
  const rows = pushes
    .filter(({ source }) => source.ancestors?.length)
    .map(({ source, now }) => ({
      repository: source.repository,
      commit_sha: source.commit,
      ancestors: source.ancestors!.join(' '),
      noted_at: now,
    }));
  if (!rows.length) return;
  await db<CommitRow>('commits')
    .insert(rows)
    .onConflict(['repository', 'commit_sha'])
    .ignore();
}

export type IsAncestor = (ancestor: string, commit: string) => boolean;

/** What is known of the ancestors of each pushed commit and of the others that it is to be compared with. */
export async function loadAncestry(
  db: Knex,
  pushes: { source: PushSource; others: Iterable<string> }[],
): Promise<IsAncestor[]> {
  const wanted: { repository: string; commit: string }[] = [];
  const known = pushes.map(({ source, others }) => {
    const own = new Set(source.ancestors);
    // What the push itself says is enough for most; only the rest is read.
    const open = [...new Set(others)].filter(
      commit => commit !== source.commit && !own.has(commit),
    );
    if (open.length && !own.size) open.push(source.commit);
    const { repository } = source;
    wanted.push(...open.map(commit => ({ repository, commit })));
    return new Map<string, Set<string>>([[source.commit, own]]);
  });
  for (const part of chunk(wanted)) {
    const rows = await db<CommitRow>('commits')
      .whereIn('repository', [...new Set(part.map(one => one.repository))])
      .whereIn('commit_sha', [...new Set(part.map(one => one.commit))])
      .select('repository', 'commit_sha', 'ancestors');
    rows.forEach(row =>
      pushes.forEach(({ source }, index) => {
        if (source.repository === row.repository) {
          known[index].set(row.commit_sha, new Set(row.ancestors.split(' ')));
        }
      }),
    );
  }
  return known.map(
    of => (ancestor, commit) => of.get(commit)?.has(ancestor) ?? false,
  );
}
