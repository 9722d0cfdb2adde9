import { ConflictError } from '@backstage/errors';
import type {
  EntityChange,
  PushSource,
  RegisterOutcome,
} from '@rocket/plugin-ci-registry-common';
import { isOlder, type IsAncestor, type OrderedCommit } from './commitOrder';
import type { EntityToStore, PushToStore, PushedEntities } from './EntityStore';
import type { ChangeToAppend } from './history';
import {
  commitOf,
  completedBy,
  type RemovalRow,
  type RepositoryRow,
} from './repositories';
import type { EntityRow } from './rows';

type Kind = EntityChange['kind'];

/** What is stored of a source; its ancestors lie in a table of their own, once. */
export function sourceJson(source: PushSource): string {
  return JSON.stringify({ ...source, ancestors: undefined });
}

/** The commit of a stored row's newest push. */
export function storedCommit(row: EntityRow): OrderedCommit {
  return {
    commit: (JSON.parse(row.source) as PushSource).commit,
    time: Number(row.source_time),
  };
}

/** What is stored of what a push speaks of; the rows are locked. */
export interface KnownOfPush {
  repository: RepositoryRow;
  /** Entities that the push gives up: named in `removed`, or left out of a complete push. */
  givenUp: string[];
  rows: ReadonlyMap<string, EntityRow>;
  /** Marks of the push's repository on entities that are not its own. */
  removals: RemovalRow[];
  isAncestor: IsAncestor;
}

/** What is to be written for a push. */
export interface DecidedPush {
  result: PushedEntities;
  inserted: EntityRow[];
  /** Rows that are there, as they are to be. */
  updated: EntityRow[];
  /** Entity refs of rows of which only the newest push is noted. */
  touched: string[];
  changes: ChangeToAppend[];
  /** Entity refs to mark as given up, though there is no row of them. */
  marked: string[];
  /** The push names all entities of its repository, and no newer one did. */
  completes: boolean;
}

/** Decides what one push changes; `ConflictError` names the repository that holds one of its entities. */
export function decidePush(push: PushToStore, known: KnownOfPush): DecidedPush {
  const { source, entities, removed = [], complete, now, pushedBy } = push;
  const { rows, removals, isAncestor } = known;
  const json = sourceJson(source);
  const own: OrderedCommit = {
    commit: source.commit,
    time: Date.parse(source.time),
  };
  const older = (than: OrderedCommit) => isOlder(own, than, isAncestor);
  refuseForeign(
    source.repository,
    [...entities.map(item => item.entityRef), ...removed],
    rows,
  );

  const decided: Omit<DecidedPush, 'result'> = {
    inserted: [],
    updated: [],
    touched: [],
    changes: [],
    marked: [],
    completes: false,
  };
  const note = (kind: Kind, row: EntityRow, before: string | undefined) => {
    decided.changes.push({
      entityRef: row.entity_ref,
      version: row.version,
      kind,
      before,
      after: row.entity,
      hash: row.content_hash,
      time: now,
      actor: pushedBy,
      source: json,
    });
  };
  const pushedNow = {
    source: json,
    source_time: own.time,
    last_pushed_at: now,
    pushed_by: pushedBy,
  };
  const changedNow = { changed_by: json, changed_at: now };
  const content = (item: EntityToStore) => ({
    ...pushedNow,
    ...changedNow,
    entity: item.json,
    content_hash: item.hash,
    repository: source.repository,
    state: 'active' as const,
    gone_at: null,
    derived: Boolean(item.derived),
  });
  const create = (item: EntityToStore) => {
    const row: EntityRow = {
      ...content(item),
      entity_ref: item.entityRef,
      first_pushed_at: now,
      version: 1,
      applied_version: 0,
    };
    decided.inserted.push(row);
    note('created', row, undefined);
  };
  /** New content, or an entity that comes back; also the row that another repository gave up for good. */
  const replace = (item: EntityToStore, row: EntityRow) => {
    const kinds: Record<EntityRow['state'], Kind> = {
      active: 'updated',
      gone: 'restored',
      removed: row.repository === source.repository ? 'restored' : 'created',
    };
    const replaced = { ...row, ...content(item), version: row.version + 1 };
    decided.updated.push(replaced);
    note(kinds[row.state], replaced, row.entity);
  };
  const giveUp = (row: EntityRow) => {
    if (row.state === 'gone') {
      decided.touched.push(row.entity_ref);
      return;
    }
    const given: EntityRow = {
      ...row,
      ...pushedNow,
      ...changedNow,
      version: row.version + 1,
      state: 'gone',
      gone_at: now,
    };
    decided.updated.push(given);
    note('gone', given, row.entity);
  };

  const completed = completedBy(known.repository);
  const outcomes: RegisterOutcome[] = [];
  for (const item of entities) {
    const row = rows.get(item.entityRef);
    if (row?.repository === source.repository) {
      if (older(storedCommit(row))) {
        outcomes.push('superseded');
      } else if (row.state === 'active' && row.content_hash === item.hash) {
        outcomes.push('unchanged');
        decided.touched.push(item.entityRef);
      } else {
        outcomes.push(row.state === 'removed' ? 'created' : 'updated');
        replace(item, row);
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
      if (row) replace(item, row);
      else create(item);
    }
  }

  const gone: string[] = [];
  const kept: PushedEntities['kept'] = [];
  for (const entityRef of known.givenUp) {
    const row = rows.get(entityRef);
    if (!row) {
      kept.push({ entityRef, reason: 'was never pushed' });
    } else if (row.state === 'removed') {
      continue;
    } else if (older(storedCommit(row))) {
      kept.push({
        entityRef,
        reason: `was pushed since, by commit ${storedCommit(row).commit}`,
      });
    } else {
      gone.push(entityRef);
      giveUp(row);
    }
  }
  const superseded = new Set(
    removals.filter(mark => older(commitOf(mark))).map(mark => mark.entity_ref),
  );
  decided.marked = removed.filter(
    ref =>
      rows.get(ref)?.repository !== source.repository && !superseded.has(ref),
  );
  decided.completes = Boolean(complete && !(completed && older(completed)));
  return {
    ...decided,
    result: {
      outcomes,
      gone: gone.sort(),
      kept: kept.filter(({ entityRef }) => removed.includes(entityRef)),
      changed: decided.changes.length > 0,
    },
  };
}

function refuseForeign(
  repository: string,
  entityRefs: string[],
  rows: ReadonlyMap<string, EntityRow>,
): void {
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
