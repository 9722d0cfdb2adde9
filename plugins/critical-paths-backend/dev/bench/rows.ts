import type { Knex } from 'knex';
import { isSqlite } from '../../src/store/rows';

/** A row of one of the tables of counts, as it is stored. */
export interface StoredRow {
  seriesId: number;
  at: number;
  valid: number;
  good: number;
  data: string;
}

/** Writes many rows. Millions of them go in without the building of statements. */
export interface RowWriter {
  write(table: string, rows: StoredRow[]): Promise<void>;
  close(): Promise<void>;
}

/** For benchmarks only: on SQLite nothing is safe from a crash until it is closed. */
export async function openRowWriter(db: Knex): Promise<RowWriter> {
  return isSqlite(db) ? openSqlite(db) : openPostgres(db);
}

async function openSqlite(db: Knex): Promise<RowWriter> {
  const connection = await db.client.acquireConnection();
  connection.pragma('synchronous = OFF');
  return {
    async write(table, rows) {
      const insert = connection.prepare(
        `INSERT INTO ${table} (series_id, at, valid, good, data) VALUES (?, ?, ?, ?, ?)`,
      );
      connection.transaction(() => {
        for (const { seriesId, at, valid, good, data } of rows) {
          insert.run(seriesId, at, valid, good, data);
        }
      })();
    },
    async close() {
      connection.pragma('synchronous = FULL');
      await db.client.releaseConnection(connection);
    },
  };
}

async function openPostgres(db: Knex): Promise<RowWriter> {
  const connection = await db.client.acquireConnection();
  await connection.query('SET synchronous_commit = off');
  return {
    async write(table, rows) {
      await connection.query(
        `INSERT INTO ${table} (series_id, at, valid, good, data)
         SELECT * FROM unnest($1::int[], $2::int[], $3::bigint[], $4::bigint[], $5::text[])`,
        [
          rows.map(row => row.seriesId),
          rows.map(row => row.at),
          rows.map(row => row.valid),
          rows.map(row => row.good),
          rows.map(row => row.data),
        ],
      );
    },
    async close() {
      await connection.query('RESET synchronous_commit');
      await db.client.releaseConnection(connection);
      // What autovacuum would have done by and by in the month.
      await db.raw('ANALYZE');
    },
  };
}
