import type { Knex } from 'knex';
import { isSqlite } from '../../src/store/rows';

/** Bytes on disk, indexes included. */
export interface StorageFigures {
  /** Of all tables of the plugin. */
  total: number;
  tables: Record<string, number>;
  /** By path, for the days that were seeded. Minutes and quarters do not grow with them. */
  perPath: {
    /** Minutes and quarters of an hour, as long as minutes are kept. */
    minutes: number;
    hours: number;
    days: number;
    /** Attribution: hours and days. */
    attribution: number;
    total: number;
  };
}

/** Asks the database how much room the plugin's tables take. */
export async function storageOf(
  db: Knex,
  paths: number,
): Promise<StorageFigures> {
  const tables: Record<string, number> = {};
  if (isSqlite(db)) {
    const rows: { name: string; bytes: number }[] = await db.raw(
      // Indexes count for their tables.
      `SELECT m.tbl_name AS name, sum(s.pgsize) AS bytes
       FROM dbstat s JOIN sqlite_master m ON m.name = s.name
       WHERE m.tbl_name LIKE 'cp_%' GROUP BY m.tbl_name`,
    );
    rows.forEach(({ name, bytes }) => (tables[name] = bytes));
  } else {
    const { rows } = await db.raw(
      `SELECT relname AS name, pg_total_relation_size(oid) AS bytes
       FROM pg_class WHERE relkind = 'r' AND relname LIKE 'cp\\_%'`,
    );
    for (const { name, bytes } of rows) {
      tables[name] = Number(bytes);
    }
  }
  const perPath = (...names: string[]) =>
    Math.round(
      names.reduce((sum, name) => sum + (tables[name] ?? 0), 0) / paths,
    );
  return {
    total: Object.values(tables).reduce((sum, bytes) => sum + bytes, 0),
    tables,
    perPath: {
      minutes: perPath('cp_minutes', 'cp_quarters'),
      hours: perPath('cp_hours'),
      days: perPath('cp_days'),
      attribution: perPath('cp_burn_hours', 'cp_burn_days'),
      total: perPath(...Object.keys(tables)),
    },
  };
}
