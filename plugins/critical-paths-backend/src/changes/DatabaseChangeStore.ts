import { ServiceUnavailableError } from '@backstage/errors';
import type { Knex } from 'knex';
import { isConnectionError, slices } from '../store/rows';
import { recordChange } from '../store/windowRows';
import type {
  ChangeFeed,
  ChangeFeedKey,
  ChangeStore,
  StoredChange,
  StoredServiceLevel,
} from './ChangeStore';

/** A deployment that two sources tell at most this far apart is one. */
const SAME_DEPLOYMENT_SECONDS = 900;
const SLICE = 100;
const DAY = 86_400;

interface EventRow {
  kind: StoredChange['kind'];
  source: string;
  external_id: string;
  entity_ref: string;
  start_time: number | string;
  end_time: number | string | null;
  title: string;
  version: string | null;
  detail: string | null;
  url: string | null;
  incident: string | null;
}

interface FeedRow {
  source: string;
  account: string;
  app_name: string;
  read_until_time: number | string | null;
  last_success_time: number | string | null;
  last_error_time: number | string | null;
  last_error: string | null;
}

function toRow(change: StoredChange): EventRow {
  return {
    kind: change.kind,
    source: change.source,
    external_id: change.externalId,
    entity_ref: change.entityRef,
    start_time: change.startTime,
    end_time: change.endTime ?? null,
    title: change.title.slice(0, 255),
    version: change.version?.slice(0, 255) ?? null,
    detail: change.detail?.slice(0, 2000) ?? null,
    url: change.url?.slice(0, 2000) ?? null,
    incident: change.incident ? JSON.stringify(change.incident) : null,
  };
}

function toChange(row: EventRow): StoredChange {
  return {
    kind: row.kind,
    source: row.source,
    externalId: row.external_id,
    entityRef: row.entity_ref,
    startTime: Number(row.start_time),
    endTime: optionalNumber(row.end_time),
    title: row.title,
    version: row.version ?? undefined,
    detail: row.detail ?? undefined,
    url: row.url ?? undefined,
    incident: row.incident ? JSON.parse(row.incident) : undefined,
  };
}

function optionalNumber(value: number | string | null): number | undefined {
  return value === null ? undefined : Number(value);
}

const keyOf = (row: EventRow) =>
  JSON.stringify([row.entity_ref, row.kind, row.source, row.external_id]);

/** True when two rows say the same; numbers come as text from PostgreSQL. */
function isSame(a: EventRow, b: EventRow): boolean {
  return JSON.stringify(toChange(a)) === JSON.stringify(toChange(b));
}

/** {@link ChangeStore} on SQLite and PostgreSQL. The tables are made by `DatabaseSignalStore.create`. */
export class DatabaseChangeStore implements ChangeStore {
  readonly #db: Knex;

  constructor(db: Knex) {
    this.#db = db;
  }

  async saveChanges(changes: StoredChange[], time: number): Promise<number> {
    const rows = new Map(changes.map(toRow).map(row => [keyOf(row), row]));
    return this.#guard(async () => {
      let written = 0;
      for (const slice of slices([...rows.values()], SLICE)) {
        written += await this.#db.transaction(async tx => {
          const known: EventRow[] = await tx('cp_events')
            .whereIn('entity_ref', [...new Set(slice.map(r => r.entity_ref))])
            .andWhere(query =>
              query
                .whereIn(
                  'external_id',
                  slice.map(r => r.external_id),
                )
                .orWhereIn(
                  'version',
                  slice.flatMap(r => r.version ?? []),
                ),
            );
          const byKey = new Map(known.map(row => [keyOf(row), row]));
          const news = slice.filter(row => {
            const old = byKey.get(keyOf(row));
            return old ? !isSame(old, row) : !known.some(k => isTwin(k, row));
          });
          if (news.length === 0) {
            return 0;
          }
          await tx('cp_events')
            .insert(news)
            .onConflict(['entity_ref', 'kind', 'source', 'external_id'])
            .merge();
          // Boards that show them are written anew.
          await recordChange(tx, 0, 0, [], time);
          return news.length;
        });
      }
      return written;
    });
  }

  async listChanges(query: {
    entityRefs: string[];
    from: number;
    to: number;
    kinds?: StoredChange['kind'][];
    limit?: number;
  }): Promise<StoredChange[]> {
    const { entityRefs, from, to, kinds, limit } = query;
    return this.#guard(async () => {
      const found: StoredChange[] = [];
      for (const refs of slices(entityRefs, 500)) {
        const select = this.#db<EventRow>('cp_events')
          .whereIn('entity_ref', refs)
          .andWhere('start_time', '<', to)
          .andWhere(inner =>
            inner
              .where('start_time', '>=', from)
              .orWhere('end_time', '>', from)
              .orWhere(open =>
                open.whereNull('end_time').andWhere(kind =>
                  kind
                    .where('kind', 'incident')
                    // A chaos run whose end nobody told is over after a day.
                    .orWhere(run =>
                      run
                        .where('kind', 'chaos')
                        .andWhere('start_time', '>=', from - DAY),
                    ),
                ),
              ),
          )
          .orderBy([
            { column: 'start_time', order: 'desc' },
            { column: 'external_id', order: 'desc' },
          ]);
        if (kinds) {
          select.whereIn('kind', kinds);
        }
        if (limit !== undefined) {
          select.limit(limit);
        }
        const rows: EventRow[] = await select;
        found.push(...rows.map(toChange));
      }
      found.sort(
        (a, b) =>
          a.startTime - b.startTime || (a.externalId < b.externalId ? -1 : 1),
      );
      return limit === undefined ? found : found.slice(-limit);
    });
  }

  async listOpenIncidents(source: string): Promise<StoredChange[]> {
    return this.#guard(async () => {
      const rows: EventRow[] = await this.#db('cp_events')
        .where({ source, kind: 'incident' })
        .whereNull('end_time')
        .orderBy('start_time');
      return rows.map(toChange);
    });
  }

  async listFeeds(keys: ChangeFeedKey[]): Promise<ChangeFeed[]> {
    const wanted = new Set(keys.map(feedKey));
    return this.#guard(async () => {
      const feeds: ChangeFeed[] = [];
      for (const slice of slices(keys, 500)) {
        const rows: FeedRow[] = await this.#db('cp_event_feeds').whereIn(
          'app_name',
          slice.map(key => key.appName),
        );
        for (const row of rows) {
          const feed: ChangeFeed = {
            source: row.source,
            account: row.account || undefined,
            appName: row.app_name,
            readUntilTime: optionalNumber(row.read_until_time),
            lastSuccessTime: optionalNumber(row.last_success_time),
            lastErrorTime: optionalNumber(row.last_error_time),
            lastError: row.last_error ?? undefined,
          };
          if (wanted.delete(feedKey(feed))) {
            feeds.push(feed);
          }
        }
      }
      return feeds;
    });
  }

  async saveFeedSuccess(
    keys: ChangeFeedKey[],
    readUntilTime: number,
    time: number,
  ): Promise<void> {
    await this.#saveFeeds(keys, {
      read_until_time: readUntilTime,
      last_success_time: time,
      last_seen_time: time,
    });
  }

  async saveFeedFailure(
    keys: ChangeFeedKey[],
    message: string,
    time: number,
  ): Promise<void> {
    await this.#saveFeeds(keys, {
      last_error: message.slice(0, 2000),
      last_error_time: time,
      last_seen_time: time,
    });
  }

  async #saveFeeds(
    keys: ChangeFeedKey[],
    values: Record<string, string | number>,
  ): Promise<void> {
    const rows = new Map(
      keys.map(({ source, account, appName }) => [
        feedKey({ source, account, appName }),
        { source, account: account ?? '', app_name: appName, ...values },
      ]),
    );
    await this.#guard(async () => {
      for (const slice of slices([...rows.values()], SLICE)) {
        await this.#db('cp_event_feeds')
          .insert(slice)
          .onConflict(['source', 'account', 'app_name'])
          .merge();
      }
    });
  }

  async replaceServiceLevels(
    source: string,
    entityRefs: string[],
    levels: StoredServiceLevel[],
  ): Promise<void> {
    await this.#guard(async () => {
      await this.#db.transaction(async tx => {
        for (const refs of slices(entityRefs, 500)) {
          await tx('cp_service_levels')
            .where({ source })
            .whereIn('entity_ref', refs)
            .delete();
        }
        for (const slice of slices(levels, SLICE)) {
          await tx('cp_service_levels').insert(
            slice.map(level => ({
              source,
              external_id: level.externalId,
              entity_ref: level.entityRef,
              read_time: level.readTime,
              data: JSON.stringify(level),
            })),
          );
        }
      });
    });
  }

  async listServiceLevels(entityRefs: string[]): Promise<StoredServiceLevel[]> {
    return this.#guard(async () => {
      const found: StoredServiceLevel[] = [];
      for (const refs of slices(entityRefs, 500)) {
        const rows: { data: string }[] = await this.#db('cp_service_levels')
          .whereIn('entity_ref', refs)
          .orderBy(['entity_ref', 'external_id']);
        found.push(...rows.map(row => JSON.parse(row.data)));
      }
      return found;
    });
  }

  async prune(before: number): Promise<number> {
    return this.#guard(async () => {
      const events = await this.#db('cp_events')
        .where('start_time', '<', before)
        .andWhere(query =>
          // An incident that is still open is kept, however old it is.
          query
            .where('end_time', '<', before)
            .orWhere(open =>
              open.whereNull('end_time').whereNot('kind', 'incident'),
            ),
        )
        .delete();
      const feeds = await this.#db('cp_event_feeds')
        .where('last_seen_time', '<', before)
        .delete();
      const levels = await this.#db('cp_service_levels')
        .where('read_time', '<', before)
        .delete();
      return events + feeds + levels;
    });
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isConnectionError(error)) {
        throw new ServiceUnavailableError(
          'The database of the critical paths cannot be reached; try again in a moment',
          error,
        );
      }
      throw error;
    }
  }
}

/** Identity of a feed as text. */
export function feedKey(feed: ChangeFeedKey): string {
  return JSON.stringify([feed.source, feed.account ?? '', feed.appName]);
}

/** The same deployment as another source tells it. */
function isTwin(known: EventRow, row: EventRow): boolean {
  return (
    row.kind === 'deployment' &&
    known.kind === 'deployment' &&
    known.entity_ref === row.entity_ref &&
    known.source !== row.source &&
    row.version !== null &&
    known.version === row.version &&
    Math.abs(Number(known.start_time) - Number(row.start_time)) <=
      SAME_DEPLOYMENT_SECONDS
  );
}
