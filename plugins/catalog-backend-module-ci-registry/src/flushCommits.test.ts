import { TestDatabases } from '@backstage/backend-test-utils';
import type { Knex } from 'knex';
import { flushCommits } from './flushCommits';

jest.setTimeout(60_000);

describe('flushCommits', () => {
  const databases = TestDatabases.create({ ids: ['POSTGRES_18'] });

  it('waits for commits that did not wait themselves', async () => {
    const db = await databases.init('POSTGRES_18');
    await db.schema.createTable('things', table => table.text('name'));
    // Several times: now and then PostgreSQL's own writer is just before us.
    for (let i = 0; i < 20; i++) {
      await db.transaction(async tx => {
        await tx.raw('set local synchronous_commit = off');
        await tx('things').insert({ name: `thing ${i}` });
      });
      const written = await db.raw('select pg_current_wal_insert_lsn() lsn');
      await flushCommits(db);
      const { rows } = await db.raw(
        'select pg_current_wal_flush_lsn() >= ?::pg_lsn flushed',
        [written.rows[0].lsn],
      );
      expect(rows).toEqual([{ flushed: true }]);
    }
  });

  it('asks nothing of a database whose commits always wait', async () => {
    const sqlite = {
      client: { config: { client: 'better-sqlite3' } },
    } as unknown as Knex;
    await expect(flushCommits(sqlite)).resolves.toBeUndefined();
  });
});
