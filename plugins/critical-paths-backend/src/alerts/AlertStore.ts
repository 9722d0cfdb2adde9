import type { DatabaseService } from '@backstage/backend-plugin-api';
import type { Alert } from '@rocket/plugin-critical-paths-common';
import { randomUUID } from 'crypto';
import type { Knex } from 'knex';
import { guarded } from '../store/rows';
import type { Notice, OpenAlert } from './decide';

/** An alert that is open or still has to be told. */
export type StoredAlert = OpenAlert & {
  id: string;
  pathRef: string;
  closedTime?: number;
};

/** An {@link Alert} without what the catalog says of its path. */
export type PlainAlert = Omit<Alert, 'pathTitle' | 'owner'>;

/** Keeps alerts. All methods throw `ServiceUnavailableError` while the database cannot be reached. */
export interface AlertStore {
  /** Open alerts, and closed ones whose end was not told yet. */
  unfinished(): Promise<StoredAlert[]>;
  /** Undefined when another replica has opened one for the path. */
  open(pathRef: string, alert: OpenAlert): Promise<StoredAlert | undefined>;
  update(id: string, alert: OpenAlert): Promise<void>;
  close(
    id: string,
    end: { time: number; reason: 'recovered' | 'withdrawn'; pending?: Notice },
  ): Promise<void>;
  /** People were told. */
  told(id: string, time: number): Promise<void>;
  /** Open ones first, then the newest. */
  list(query: { pathRef?: string; limit: number }): Promise<PlainAlert[]>;
  /** Deletes alerts that were closed before the time, seconds; answers how many. */
  prune(before: number): Promise<number>;
}

interface Row {
  id: string;
  path_ref: string;
  open_key: string | null;
  severity: Alert['severity'];
  rules: string;
  messages: string;
  opened_time: number | string;
  last_firing_time: number | string;
  notified_time: number | string | null;
  pending: Notice | null;
  closed_time: number | string | null;
  close_reason: Alert['closeReason'];
}

const TABLE = 'cp_alerts';

const iso = (seconds: number | string) =>
  new Date(Number(seconds) * 1000).toISOString();

function columnsOf(alert: OpenAlert) {
  return {
    severity: alert.severity,
    rules: JSON.stringify(alert.rules),
    messages: JSON.stringify(alert.messages),
    opened_time: alert.openedTime,
    last_firing_time: alert.lastFiringTime,
    notified_time: alert.notifiedTime ?? null,
    pending: alert.pending ?? null,
  };
}

function toStored(row: Row): StoredAlert {
  return {
    id: row.id,
    pathRef: row.path_ref,
    severity: row.severity,
    rules: JSON.parse(row.rules),
    messages: JSON.parse(row.messages),
    openedTime: Number(row.opened_time),
    lastFiringTime: Number(row.last_firing_time),
    notifiedTime:
      row.notified_time === null ? undefined : Number(row.notified_time),
    pending: row.pending ?? undefined,
    closedTime: row.closed_time === null ? undefined : Number(row.closed_time),
  };
}

function toAlert(row: Row): PlainAlert {
  return {
    id: row.id,
    pathRef: row.path_ref,
    severity: row.severity,
    messages: JSON.parse(row.messages),
    openedAt: iso(row.opened_time),
    lastFiringAt: iso(row.last_firing_time),
    notifiedAt: row.notified_time === null ? null : iso(row.notified_time),
    closedAt: row.closed_time === null ? null : iso(row.closed_time),
    closeReason: row.close_reason,
  };
}

/** {@link AlertStore} on SQLite and PostgreSQL; the table is made by `DatabaseSignalStore.create`. */
export class DatabaseAlertStore implements AlertStore {
  readonly #db: Knex;

  static async create(options: {
    database: DatabaseService;
  }): Promise<DatabaseAlertStore> {
    return new DatabaseAlertStore(await options.database.getClient());
  }

  private constructor(db: Knex) {
    this.#db = db;
  }

  async unfinished(): Promise<StoredAlert[]> {
    return guarded(async () => {
      const rows: Row[] = await this.#db(TABLE)
        .whereNotNull('open_key')
        .orWhereNotNull('pending')
        .orderBy(['opened_time', 'id']);
      return rows.map(toStored);
    });
  }

  async open(
    pathRef: string,
    alert: OpenAlert,
  ): Promise<StoredAlert | undefined> {
    return guarded(async () => {
      const id = randomUUID();
      const inserted = await this.#db(TABLE)
        .insert({
          id,
          path_ref: pathRef,
          open_key: pathRef,
          ...columnsOf(alert),
        })
        .onConflict('open_key')
        .ignore()
        .returning('id');
      return inserted.length > 0 ? { ...alert, id, pathRef } : undefined;
    });
  }

  async update(id: string, alert: OpenAlert): Promise<void> {
    await guarded(() =>
      this.#db(TABLE).where('id', id).update(columnsOf(alert)),
    );
  }

  async close(
    id: string,
    end: { time: number; reason: 'recovered' | 'withdrawn'; pending?: Notice },
  ): Promise<void> {
    await guarded(() =>
      this.#db(TABLE)
        .where('id', id)
        .update({
          open_key: null,
          closed_time: end.time,
          close_reason: end.reason,
          pending: end.pending ?? null,
        }),
    );
  }

  async told(id: string, time: number): Promise<void> {
    await guarded(() =>
      this.#db(TABLE)
        .where('id', id)
        .update({ pending: null, notified_time: time }),
    );
  }

  async list(query: {
    pathRef?: string;
    limit: number;
  }): Promise<PlainAlert[]> {
    return guarded(async () => {
      const rows: Row[] = await this.#db(TABLE)
        .modify(builder => {
          if (query.pathRef !== undefined) {
            builder.where('path_ref', query.pathRef);
          }
        })
        .orderByRaw('CASE WHEN open_key IS NULL THEN 1 ELSE 0 END')
        .orderBy([
          { column: 'opened_time', order: 'desc' },
          { column: 'id', order: 'asc' },
        ])
        .limit(query.limit);
      return rows.map(toAlert);
    });
  }

  async prune(before: number): Promise<number> {
    return guarded(() =>
      this.#db(TABLE)
        .whereNull('open_key')
        .andWhere('closed_time', '<', before)
        .delete(),
    );
  }
}
