import type { DatabaseService } from '@backstage/backend-plugin-api';
import { randomUUID } from 'crypto';
import type { Knex } from 'knex';
import { guarded } from './rows';
import { recordChange } from './windowRows';

/** Planned downtime of a path, `[from, to)` in minutes since the epoch. */
export interface StoredMaintenance {
  id: string;
  pathRef: string;
  from: number;
  to: number;
  reason: string;
  createdBy: string;
  /** Seconds since the epoch. */
  createdTime: number;
}

/** A decision that the budgets of a path start anew at a minute. */
export interface StoredReset {
  id: string;
  pathRef: string;
  at: number;
  reason: string;
  createdBy: string;
}

/**
 * Keeps what people decided about budgets. All methods throw
 * `ServiceUnavailableError` while the database cannot be reached.
 */
export interface PolicyStore {
  /** Windows that overlap `[from, to)`, the oldest first; of all paths when none is given. */
  listMaintenance(query: {
    pathRef?: string;
    from: number;
    to: number;
  }): Promise<StoredMaintenance[]>;
  getMaintenance(id: string): Promise<StoredMaintenance | undefined>;
  addMaintenance(
    window: Omit<StoredMaintenance, 'id'>,
  ): Promise<StoredMaintenance>;
  /** Moves the end of a window. */
  endMaintenance(id: string, to: number): Promise<void>;
  /** False when there was none. */
  deleteMaintenance(id: string): Promise<boolean>;
  /** Resets at or after the given minute, the oldest first. */
  listResets(since: number): Promise<StoredReset[]>;
  addReset(reset: Omit<StoredReset, 'id'>): Promise<StoredReset>;
  /** Deletes what was over before the given minute; answers how many. */
  prunePolicy(before: number): Promise<number>;
}

interface MaintenanceRow {
  id: string;
  path_ref: string;
  from_at: number;
  to_at: number;
  reason: string;
  created_by: string;
  created_time: number | string;
}

function toMaintenance(row: MaintenanceRow): StoredMaintenance {
  return {
    id: row.id,
    pathRef: row.path_ref,
    from: row.from_at,
    to: row.to_at,
    reason: row.reason,
    createdBy: row.created_by,
    createdTime: Number(row.created_time),
  };
}

/** {@link PolicyStore} on SQLite and PostgreSQL; the tables are made by `DatabaseSignalStore.create`. */
export class DatabasePolicyStore implements PolicyStore {
  readonly #db: Knex;

  static async create(options: {
    database: DatabaseService;
  }): Promise<DatabasePolicyStore> {
    return new DatabasePolicyStore(await options.database.getClient());
  }

  private constructor(db: Knex) {
    this.#db = db;
  }

  async listMaintenance(query: {
    pathRef?: string;
    from: number;
    to: number;
  }): Promise<StoredMaintenance[]> {
    return guarded(async () => {
      const rows: MaintenanceRow[] = await this.#db('cp_maintenance')
        .where('from_at', '<', query.to)
        .andWhere('to_at', '>', query.from)
        .modify(builder => {
          if (query.pathRef !== undefined) {
            builder.andWhere('path_ref', query.pathRef);
          }
        })
        .orderBy(['from_at', 'id']);
      return rows.map(toMaintenance);
    });
  }

  async getMaintenance(id: string): Promise<StoredMaintenance | undefined> {
    return guarded(async () => {
      const row = await this.#db<MaintenanceRow>('cp_maintenance')
        .where('id', id)
        .first();
      return row && toMaintenance(row);
    });
  }

  async addMaintenance(
    window: Omit<StoredMaintenance, 'id'>,
  ): Promise<StoredMaintenance> {
    const id = randomUUID();
    await this.#change(tx =>
      tx('cp_maintenance').insert({
        id,
        path_ref: window.pathRef,
        from_at: window.from,
        to_at: window.to,
        reason: window.reason,
        created_by: window.createdBy,
        created_time: window.createdTime,
      }),
    );
    return { id, ...window };
  }

  async endMaintenance(id: string, to: number): Promise<void> {
    await this.#change(tx =>
      tx('cp_maintenance').where('id', id).update({ to_at: to }),
    );
  }

  async deleteMaintenance(id: string): Promise<boolean> {
    const deleted = await this.#change(tx =>
      tx('cp_maintenance').where('id', id).delete(),
    );
    return deleted > 0;
  }

  async listResets(since: number): Promise<StoredReset[]> {
    return guarded(async () => {
      const rows: {
        id: string;
        path_ref: string;
        at: number;
        reason: string;
        created_by: string;
      }[] = await this.#db('cp_budget_resets')
        .where('at', '>=', since)
        .orderBy(['at', 'id']);
      return rows.map(row => ({
        id: row.id,
        pathRef: row.path_ref,
        at: row.at,
        reason: row.reason,
        createdBy: row.created_by,
      }));
    });
  }

  async addReset(reset: Omit<StoredReset, 'id'>): Promise<StoredReset> {
    const id = randomUUID();
    await this.#change(tx =>
      tx('cp_budget_resets').insert({
        id,
        path_ref: reset.pathRef,
        at: reset.at,
        reason: reset.reason,
        created_by: reset.createdBy,
      }),
    );
    return { id, ...reset };
  }

  async prunePolicy(before: number): Promise<number> {
    return guarded(
      async () =>
        (await this.#db('cp_maintenance')
          .where('to_at', '<', before)
          .delete()) +
        (await this.#db('cp_budget_resets').where('at', '<', before).delete()),
    );
  }

  /** Leaves a change record with every write, so that all replicas read the policy again. */
  async #change<T>(work: (tx: Knex.Transaction) => PromiseLike<T>): Promise<T> {
    return guarded(() =>
      this.#db.transaction(async tx => {
        const result = await work(tx);
        await recordChange(tx, 0, 0, [], Math.floor(Date.now() / 1000));
        return result;
      }),
    );
  }
}
