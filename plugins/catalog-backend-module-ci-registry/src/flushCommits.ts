import type { Knex } from 'knex';

/**
 * Answers when everything that this database committed so far is on its disk. The catalog's commits need not wait for that
 * (`synchronous_commit = off`); telling the registry that the catalog has a push must, or a failing machine would lose it between
 * the two. SQLite waits with every commit.
 */
export async function flushCommits(db: Knex): Promise<void> {
  if (db.client.config.client !== 'pg') return;
  await db.transaction(async tx => {
    await tx.raw('set local synchronous_commit = on');
    // A transaction that wrote nothing waits for nothing; an empty message in the log is the least that can be written.
    await tx.raw(`select pg_logical_emit_message(true, 'rocket', '')`);
  });
}
