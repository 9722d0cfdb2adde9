import type { Entity } from '@backstage/catalog-model';
import type { JsonValue } from '@backstage/types';
import {
  applyFieldChanges,
  diffFields,
  type EntityChange,
  type EntityVersion,
} from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import { canonicalJson, sha256 } from '../service/canonical';
import { chunk, repeating } from './rows';

export interface ChangeToAppend {
  entityRef: string;
  version: number;
  kind: EntityChange['kind'];
  /** Canonical JSON of the entity before and after. */
  before: string | undefined;
  after: string;
  hash: string;
  /** ms since 1970. */
  time: number;
  actor: string;
  /** JSON. */
  source: string;
}

export type ChangeRow = {
  entity_ref: string;
  version: number;
  kind: EntityChange['kind'];
  time: number | string;
  actor: string;
  source: string;
  changes: string;
  hash: string;
  base: string | null;
};

/** How many rows one replay reads at once, and one round of the retention works on. */
const PAGE = 200;

function toChange(row: ChangeRow): EntityChange {
  return {
    entityRef: row.entity_ref,
    version: row.version,
    kind: row.kind,
    time: new Date(Number(row.time)).toISOString(),
    actor: row.actor,
    source: JSON.parse(row.source),
    changes: JSON.parse(row.changes),
  };
}

/** Adds to the log, in the transaction that makes the changes. */
export async function appendChanges(
  tx: Knex.Transaction,
  changes: ChangeToAppend[],
): Promise<void> {
  for (const part of chunk(changes)) {
    await tx<ChangeRow>('entity_changes').insert(
      part.map(change => ({
        entity_ref: change.entityRef,
        version: change.version,
        kind: change.kind,
        time: change.time,
        actor: change.actor,
        source: change.source,
        changes: JSON.stringify(
          change.before === change.after
            ? []
            : diffFields(
                change.before === undefined
                  ? undefined
                  : JSON.parse(change.before),
                JSON.parse(change.after),
              ),
        ),
        hash: change.hash,
        base: null,
      })),
    );
  }
}

/** The log of changes: reading, replay and retention. */
export class EntityHistory {
  readonly #db: Knex;

  constructor(db: Knex) {
    this.#db = db;
  }

  /** The newest first, from the one before `before`. */
  async list(
    entityRef: string,
    options: { before?: number; limit: number },
  ): Promise<EntityChange[]> {
    const query = this.#db<ChangeRow>('entity_changes')
      .where('entity_ref', entityRef)
      .orderBy('version', 'desc')
      .limit(options.limit);
    if (options.before !== undefined) {
      query.where('version', '<', options.before);
    }
    return (await query).map(toChange);
  }

  /** The oldest first, page by page. */
  async *all(entityRef: string): AsyncGenerator<EntityChange> {
    let after = 0;
    for (;;) {
      const rows = await this.#db<ChangeRow>('entity_changes')
        .where('entity_ref', entityRef)
        .where('version', '>', after)
        .orderBy('version')
        .limit(PAGE);
      if (!rows.length) return;
      for (const row of rows) {
        yield toChange(row);
      }
      after = rows[rows.length - 1].version;
    }
  }

  /**
   * The entity as it was, by replay from the nearest point that holds it whole. Undefined when there is no such version or it is
   * older than what is kept. Throws when the replay does not give what was stored then.
   */
  async replay(
    entityRef: string,
    version: number,
  ): Promise<EntityVersion | undefined> {
    const start = await this.#db<ChangeRow>('entity_changes')
      .where('entity_ref', entityRef)
      .where('version', '<=', version)
      .where(query => query.whereNotNull('base').orWhere('version', 1))
      .orderBy('version', 'desc')
      .first('version');
    if (!start) return undefined;
    let entity: JsonValue | undefined;
    let last: ChangeRow | undefined;
    for (let from = start.version; from <= version; from += PAGE) {
      const rows = await this.#db<ChangeRow>('entity_changes')
        .where('entity_ref', entityRef)
        .whereBetween('version', [from, Math.min(version, from + PAGE - 1)])
        .orderBy('version');
      for (const row of rows) {
        entity =
          row.base === null
            ? applyFieldChanges(entity, JSON.parse(row.changes))
            : JSON.parse(row.base);
        last = row;
      }
    }
    if (last?.version !== version) return undefined;
    const hash = sha256(canonicalJson(entity as JsonValue));
    if (hash !== last.hash) {
      throw new Error(
        `The history of ${entityRef} does not give its version ${version}: ${hash} instead of ${last.hash}`,
      );
    }
    return {
      change: toChange(last),
      entity: entity as unknown as Entity,
      hash,
    };
  }

  /**
   * Forgets changes before `before` (ms since 1970), but keeps the newest of every entity, and the entity as it was at the oldest
   * change that is kept. Answers how many changes were forgotten.
   */
  async forget(before: number): Promise<number> {
    let forgotten = 0;
    for (;;) {
      const due = (await this.#db('entity_changes as c')
        .join('entities as e', 'e.entity_ref', 'c.entity_ref')
        .where('c.time', '<', before)
        .whereRaw('c.version < e.version')
        .groupBy('c.entity_ref')
        .orderBy('c.entity_ref')
        .limit(PAGE)
        .select('c.entity_ref')
        .max({ version: 'c.version' })) as unknown as {
        entity_ref: string;
        version: number;
      }[];
      if (!due.length) return forgotten;
      for (const { entity_ref: entityRef, version } of due) {
        const kept = await this.replay(entityRef, version + 1);
        forgotten += await repeating(this.#db, async tx => {
          if (kept) {
            await tx<ChangeRow>('entity_changes')
              .where({ entity_ref: entityRef, version: version + 1 })
              .update({
                base: canonicalJson(kept.entity as unknown as JsonValue),
              });
          }
          return tx<ChangeRow>('entity_changes')
            .where('entity_ref', entityRef)
            .where('version', '<=', version)
            .delete();
        });
      }
    }
  }
}
