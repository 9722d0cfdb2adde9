import type { EnvironmentState } from '@rocket/plugin-provisioning-common';
import type { Knex } from 'knex';
import type {
  EnvironmentPatch,
  EnvironmentRecord,
  EnvironmentStore,
} from './EnvironmentStore';

interface EnvironmentRow {
  name: string;
  subject: string;
  owner: string;
  branch: string;
  commit_sha: string | null;
  service: string;
  runtime: string;
  state: EnvironmentState;
  message: string | null;
  url: string | null;
  requested_by: string;
  created_at: string;
  changed_at: string;
  expires_at: string;
  extensions_left: number;
  noticed: boolean | number;
  removals: number;
  retry_at: string | null;
}

const columns: Record<keyof EnvironmentRecord, keyof EnvironmentRow> = {
  name: 'name',
  subject: 'subject',
  owner: 'owner',
  branch: 'branch',
  commit: 'commit_sha',
  service: 'service',
  runtime: 'runtime',
  state: 'state',
  message: 'message',
  url: 'url',
  requestedBy: 'requested_by',
  createdAt: 'created_at',
  changedAt: 'changed_at',
  expiresAt: 'expires_at',
  extensionsLeft: 'extensions_left',
  noticed: 'noticed',
  removals: 'removals',
  retryAt: 'retry_at',
};

/** Environments on demand in the plugin's database; several backends may share it. */
export class DatabaseEnvironmentStore implements EnvironmentStore {
  readonly #db: Knex;
  readonly #now: () => number;

  /** @param now - milliseconds since 1970 */
  constructor(db: Knex, now: () => number = Date.now) {
    this.#db = db;
    this.#now = now;
  }

  async insert(record: EnvironmentRecord, quota: number) {
    return this.#db.transaction(async tx => {
      if (tx.client.config.client === 'pg') {
        // Two requests of one owner are counted one after the other.
        await tx.raw('SELECT pg_advisory_xact_lock(hashtext(?))', [
          `rocket-environments:${record.owner}`,
        ]);
      }
      const standing = await tx<EnvironmentRow>('environments')
        .where({ owner: record.owner })
        .whereNot({ state: 'deleted' })
        .whereNot({ name: record.name });
      if (standing.length >= quota) return 'full' as const;
      await tx<EnvironmentRow>('environments')
        .where({ name: record.name, state: 'deleted' })
        .delete();
      const inserted = await tx('environments')
        .insert(toRow(record))
        .onConflict('name')
        .ignore()
        .returning('name');
      return inserted.length > 0 ? ('inserted' as const) : ('taken' as const);
    });
  }

  async get(name: string) {
    const row = await this.#db<EnvironmentRow>('environments')
      .where({ name })
      .first();
    return row && toRecord(row);
  }

  async list(filter: { owner?: string; states?: EnvironmentState[] } = {}) {
    const rows = await this.#db<EnvironmentRow>('environments')
      .modify(query => {
        if (filter.owner) query.where({ owner: filter.owner });
        if (filter.states) query.whereIn('state', filter.states);
        else query.whereNot({ state: 'deleted' });
      })
      .orderBy('name');
    return rows.map(toRecord);
  }

  async change(
    name: string,
    patch: EnvironmentPatch,
    from: readonly EnvironmentState[],
    expiresAt?: string,
  ) {
    const count = await this.#db<EnvironmentRow>('environments')
      .where({ name, ...(expiresAt ? { expires_at: expiresAt } : {}) })
      .whereIn('state', from)
      .update(
        toRow({ ...patch, changedAt: new Date(this.#now()).toISOString() }),
      );
    return count > 0;
  }

  async drop(name: string) {
    await this.#db<EnvironmentRow>('environments')
      .where({ name, state: 'requested' })
      .delete();
  }
}

function toRow(patch: Partial<EnvironmentRecord>): Partial<EnvironmentRow> {
  return Object.fromEntries(
    Object.entries(patch).map(([key, value]) => [
      columns[key as keyof EnvironmentRecord],
      value ?? null,
    ]),
  );
}

function toRecord(row: EnvironmentRow): EnvironmentRecord {
  return {
    name: row.name,
    subject: row.subject,
    owner: row.owner,
    branch: row.branch,
    commit: row.commit_sha ?? undefined,
    service: row.service,
    runtime: row.runtime,
    state: row.state,
    message: row.message ?? undefined,
    url: row.url ?? undefined,
    requestedBy: row.requested_by,
    createdAt: row.created_at,
    changedAt: row.changed_at,
    expiresAt: row.expires_at,
    extensionsLeft: row.extensions_left,
    noticed: Boolean(row.noticed),
    removals: row.removals,
    retryAt: row.retry_at ?? undefined,
  };
}
