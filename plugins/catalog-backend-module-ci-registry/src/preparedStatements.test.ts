import { TestDatabases } from '@backstage/backend-test-utils';
import { prepareStatements } from './preparedStatements';

jest.setTimeout(60_000);

describe('prepareStatements', () => {
  const databases = TestDatabases.create({
    ids: ['POSTGRES_18', 'SQLITE_3'],
  });

  it.each(databases.eachSupportedId())(
    'answers as before, inside of transactions and outside, %p',
    async id => {
      const knex = await databases.init(id);
      prepareStatements(knex);
      await knex.schema.createTable('things', table => {
        table.string('name').primary();
        table.integer('size');
      });
      const sizeOf = async (name: string, db = knex) =>
        (await db('things').select('size').where('name', name).first())?.size;
      await knex.transaction(async tx => {
        await tx('things').insert({ name: 'a', size: 1 });
        await tx('things').insert({ name: 'b', size: 2 });
        expect(await sizeOf('a', tx)).toBe(1);
        expect(await sizeOf('b', tx)).toBe(2);
      });
      await expect(
        knex('things').insert({ name: 'a', size: 3 }),
      ).rejects.toThrow(/unique|duplicate/i);
      expect(await sizeOf('a')).toBe(1);
      expect(await sizeOf('none')).toBeUndefined();
    },
  );

  it.each(databases.eachSupportedId().filter(([id]) => id !== 'SQLITE_3'))(
    'has each statement planned once, save those whose columns a migration changes, %p',
    async id => {
      const knex = await databases.init(id);
      await knex.schema.createTable('things', table => {
        table.string('name').primary();
      });
      prepareStatements(knex);
      const prepared = await knex.transaction(async tx => {
        for (const name of ['a', 'b', 'c']) {
          await tx('things').insert({ name });
          await tx('things').where({ name }).count({ n: '*' });
          await tx('things').where({ name });
          await tx('things').where({ name }).update({ name }).returning('*');
        }
        const { rows } = await tx.raw(
          `select statement from pg_prepared_statements order by statement`,
        );
        return rows.map((row: { statement: string }) => row.statement);
      });
      expect(prepared).toEqual([
        expect.stringMatching(/^insert into "things"/),
        expect.stringMatching(/^select count\(\*\) as "n"/),
        // The question itself.
        expect.stringMatching(/^select statement/),
      ]);

      await knex.schema.alterTable('things', table => {
        table.integer('size');
      });
      expect(await knex('things').where({ name: 'a' })).toEqual([
        { name: 'a', size: null },
      ]);
    },
  );

  it('makes a new plan for a table that has grown', async () => {
    const id = databases.eachSupportedId().find(([it]) => it !== 'SQLITE_3');
    if (!id) return;
    const knex = await databases.init(id[0]);
    await knex.schema.createTable('things', table => {
      table.string('name').primary();
    });
    // Else PostgreSQL would notice by itself, some time later.
    await knex.raw('alter table things set (autovacuum_enabled = false)');
    await knex.raw('vacuum analyze things');
    const now = jest.spyOn(Date, 'now').mockReturnValue(1_000_000);
    try {
      prepareStatements(knex);
      const find = () => knex('things').where({ name: '7' }).count();
      const scans = async () =>
        (
          await knex.raw(
            `select seq_scan::int as whole from pg_stat_user_tables
             where relname = 'things'`,
          )
        ).rows[0].whole;
      const findOften = async () => {
        const before = await scans();
        for (let i = 0; i < 20; i++) await find();
        await knex.raw('select pg_stat_force_next_flush()');
        return (await scans()) - before;
      };
      expect(await findOften()).toBeGreaterThan(10);
      await knex.raw(
        'insert into things select g::text from generate_series(1, 20000) g',
      );
      now.mockReturnValue(1_002_000);
      expect(await findOften()).toBeLessThan(10);
    } finally {
      now.mockRestore();
    }
  });

  it('remembers a bounded number of statements', async () => {
    const id = databases.eachSupportedId().find(([it]) => it !== 'SQLITE_3');
    if (!id) return;
    const knex = await databases.init(id[0]);
    prepareStatements(knex);
    await knex.transaction(async tx => {
      for (let i = 0; i < 250; i++) {
        await tx.raw(`select ${i} as n`);
      }
      const { rows } = await tx.raw(
        'select count(*)::int as n from pg_prepared_statements',
      );
      expect(rows[0].n).toBe(200);
    });
  });
});
