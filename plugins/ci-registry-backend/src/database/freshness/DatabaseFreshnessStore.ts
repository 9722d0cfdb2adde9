import type { FreshnessState } from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';
import { chunk } from '../rows';
import {
  STATES_BY_SEVERITY,
  type FreshnessStore,
  type Notice,
  type Observation,
  type StoredFreshness,
} from './FreshnessStore';

interface FreshnessRow {
  entity_ref: string;
  state: string;
  severity: number;
  owner: string | null;
  data: string;
  since: number | string;
  told_state: string | null;
  pending: string | null;
}

interface ObservationRow {
  provider: string;
  name: string;
  entity_ref: string | null;
  stopped: boolean | number;
  last_seen_at: number | string | null;
  detail: string | null;
  told_at: number | string;
  unmatched_since: number | string | null;
}

function toStored(row: FreshnessRow): StoredFreshness {
  return {
    freshness: JSON.parse(row.data),
    since: Number(row.since),
    toldState: (row.told_state as FreshnessState | null) ?? undefined,
    pending: (row.pending as Notice | null) ?? undefined,
  };
}

function toRow(stored: StoredFreshness): FreshnessRow {
  const { freshness } = stored;
  return {
    entity_ref: freshness.entityRef,
    state: freshness.state,
    severity: STATES_BY_SEVERITY.indexOf(freshness.state),
    owner: freshness.owner ?? null,
    data: JSON.stringify(freshness),
    since: stored.since,
    told_state: stored.toldState ?? null,
    pending: stored.pending ?? null,
  };
}

/** {@link FreshnessStore} on SQLite and PostgreSQL; the migrations make its tables. */
export class DatabaseFreshnessStore implements FreshnessStore {
  readonly #db: Knex;

  constructor(db: Knex) {
    this.#db = db;
  }

  async saveObservations(
    provider: string,
    observations: Observation[],
    now: number,
  ): Promise<void> {
    const rows = new Map(
      observations.map(one => [
        one.name,
        {
          provider,
          name: one.name,
          entity_ref: one.entityRef ?? null,
          stopped: one.stopped,
          last_seen_at: one.lastSeenAt ?? null,
          detail: one.detail ?? null,
          told_at: now,
        },
      ]),
    );
    for (const part of chunk([...rows.values()])) {
      await this.#db<ObservationRow>('running_components')
        .insert(part)
        .onConflict(['provider', 'name'])
        .merge({
          entity_ref: this.#db.raw('excluded.entity_ref') as never,
          stopped: this.#db.raw('excluded.stopped') as never,
          // A source that answers without a time does not undo one that it gave.
          last_seen_at: this.#db.raw(
            'coalesce(excluded.last_seen_at, running_components.last_seen_at)',
          ) as never,
          detail: this.#db.raw('excluded.detail') as never,
          told_at: now,
        });
    }
    await this.#db('running_providers')
      .insert({ provider, answered_at: now })
      .onConflict('provider')
      .merge();
  }

  async noteUnmatched(unmatched: Observation[], now: number): Promise<void> {
    const keys = new Set(
      unmatched.map(({ provider, name }) => JSON.stringify([provider, name])),
    );
    for (const one of await this.listObservations()) {
      const isUnmatched = keys.has(JSON.stringify([one.provider, one.name]));
      if (isUnmatched === (one.unmatchedSince === undefined)) {
        await this.#db<ObservationRow>('running_components')
          .where({ provider: one.provider, name: one.name })
          .update({ unmatched_since: isUnmatched ? now : null });
      }
    }
  }

  async answers(): Promise<Map<string, number>> {
    const rows: { provider: string; answered_at: number | string }[] =
      await this.#db('running_providers');
    return new Map(rows.map(row => [row.provider, Number(row.answered_at)]));
  }

  async listObservations(): Promise<Observation[]> {
    const rows: ObservationRow[] = await this.#db('running_components').orderBy(
      ['provider', 'name'],
    );
    return rows.map(row => ({
      provider: row.provider,
      name: row.name,
      entityRef: row.entity_ref ?? undefined,
      stopped: Boolean(row.stopped),
      lastSeenAt:
        row.last_seen_at === null ? undefined : Number(row.last_seen_at),
      detail: row.detail ?? undefined,
      unmatchedSince:
        row.unmatched_since === null ? undefined : Number(row.unmatched_since),
    }));
  }

  async all(): Promise<Map<string, StoredFreshness>> {
    const rows: FreshnessRow[] = await this.#db('freshness');
    return new Map(rows.map(row => [row.entity_ref, toStored(row)]));
  }

  async get(entityRef: string): Promise<StoredFreshness | undefined> {
    const row = await this.#db<FreshnessRow>('freshness')
      .where('entity_ref', entityRef)
      .first();
    return row && toStored(row);
  }

  async save(rows: StoredFreshness[], deleted: string[]): Promise<void> {
    if (rows.length + deleted.length === 0) {
      return;
    }
    await this.#db.transaction(async tx => {
      for (const part of chunk(deleted)) {
        await tx('freshness').whereIn('entity_ref', part).delete();
      }
      for (const part of chunk(rows)) {
        await tx('freshness')
          .insert(part.map(toRow))
          .onConflict('entity_ref')
          .merge();
      }
    });
  }

  async list(options: {
    owners?: string[];
    states?: FreshnessState[];
    after?: { severity: number; entityRef: string };
    limit: number;
  }): Promise<StoredFreshness[]> {
    const { owners, states, after, limit } = options;
    const query = this.#db<FreshnessRow>('freshness');
    if (owners) query.whereIn('owner', owners);
    if (states) query.whereIn('state', states);
    if (after) {
      query.whereRaw('(severity, entity_ref) > (?, ?)', [
        after.severity,
        after.entityRef,
      ]);
    }
    const rows = await query.orderBy(['severity', 'entity_ref']).limit(limit);
    return rows.map(toStored);
  }

  async counts(options: {
    owners?: string[];
  }): Promise<Record<FreshnessState, number>> {
    const query = this.#db('freshness');
    if (options.owners) query.whereIn('owner', options.owners);
    const rows: { state: string; n: number | string }[] = await query
      .groupBy('state')
      .select('state')
      .count({ n: '*' });
    const counts = Object.fromEntries(
      STATES_BY_SEVERITY.map(state => [state, 0]),
    ) as Record<FreshnessState, number>;
    for (const row of rows) {
      counts[row.state as FreshnessState] = Number(row.n);
    }
    return counts;
  }

  async pending(limit: number): Promise<StoredFreshness[]> {
    const rows: FreshnessRow[] = await this.#db('freshness')
      .whereNotNull('pending')
      .orderBy(['severity', 'entity_ref'])
      .limit(limit);
    return rows.map(toStored);
  }

  async told(entityRef: string, notice: Notice): Promise<void> {
    await this.#db<FreshnessRow>('freshness')
      .where({ entity_ref: entityRef, pending: notice })
      .update({
        pending: null,
        told_state: notice === 'recovered' ? null : notice,
      });
  }

  async prune(before: number): Promise<number> {
    return this.#db('running_components')
      .where('told_at', '<', before)
      .delete();
  }
}
