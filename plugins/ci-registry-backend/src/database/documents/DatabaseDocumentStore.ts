import type {
  ApiDocumentVersion,
  ApiFormat,
} from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import { chunk } from '../rows';
import type { DocumentStore, StoredDocument } from './DocumentStore';

const TABLE = 'api_document_versions';

type Row = {
  api: string;
  version: number;
  format: ApiFormat;
  hash: string;
  definition: string;
  commit: string;
  pipeline: string | null;
  pushed_at: number | string;
  seen_commit: string;
  seen_time: number | string;
  changes: string | null;
  not_compared: string | null;
};

/** All but the definition, which may be long. */
const LISTED = [
  'api',
  'version',
  'format',
  'hash',
  'commit',
  'pipeline',
  'pushed_at',
  'changes',
  'not_compared',
] as const;

function toVersion(
  row: Pick<Row, (typeof LISTED)[number]>,
): ApiDocumentVersion {
  return {
    api: row.api,
    version: row.version,
    format: row.format,
    hash: row.hash,
    commit: row.commit,
    ...(row.pipeline !== null && { pipeline: row.pipeline }),
    pushedAt: new Date(Number(row.pushed_at)).toISOString(),
    changes: row.changes === null ? null : JSON.parse(row.changes),
    ...(row.not_compared !== null && { notCompared: row.not_compared }),
  };
}

/** On SQLite and PostgreSQL. */
export class DatabaseDocumentStore implements DocumentStore {
  readonly #db: Knex;

  /** The migrations must have run. */
  constructor(db: Knex) {
    this.#db = db;
  }

  async latest(
    apis: string[],
    db: Knex = this.#db,
  ): Promise<Map<string, StoredDocument>> {
    const found = new Map<string, StoredDocument>();
    for (const some of chunk([...new Set(apis)])) {
      const newest = db<Row>(TABLE)
        .whereIn('api', some)
        .groupBy('api')
        .select('api')
        .max('version as version')
        .as('newest');
      const rows: Row[] = await db<Row>(TABLE)
        .join(newest, join =>
          join
            .on(`${TABLE}.api`, 'newest.api')
            .andOn(`${TABLE}.version`, 'newest.version'),
        )
        .select(`${TABLE}.*`);
      for (const row of rows) {
        found.set(row.api, {
          version: toVersion(row),
          definition: row.definition,
          seen: { commit: row.seen_commit, time: Number(row.seen_time) },
        });
      }
    }
    return found;
  }

  async list(api: string): Promise<ApiDocumentVersion[]> {
    const rows = await this.#db<Row>(TABLE)
      .where({ api })
      .orderBy('version', 'desc')
      .select(...LISTED);
    return rows.map(toVersion);
  }

  async definition(api: string, version: number) {
    return this.#db<Row>(TABLE)
      .where({ api, version })
      .first('format', 'definition');
  }

  async add(
    tx: Knex.Transaction,
    { version, definition, seen }: StoredDocument,
    keep: number,
  ): Promise<void> {
    await tx<Row>(TABLE).insert({
      api: version.api,
      version: version.version,
      format: version.format,
      hash: version.hash,
      definition,
      commit: version.commit,
      pipeline: version.pipeline ?? null,
      pushed_at: Date.parse(version.pushedAt),
      seen_commit: seen.commit,
      seen_time: seen.time,
      changes: version.changes && JSON.stringify(version.changes),
      not_compared: version.notCompared ?? null,
    });
    await tx<Row>(TABLE)
      .where('api', version.api)
      .where('version', '<=', version.version - keep)
      .delete();
  }

  async seen(
    tx: Knex.Transaction,
    { api, version }: Pick<ApiDocumentVersion, 'api' | 'version'>,
    by: StoredDocument['seen'],
  ): Promise<void> {
    await tx<Row>(TABLE)
      .where({ api, version })
      .update({ seen_commit: by.commit, seen_time: by.time });
  }
}
