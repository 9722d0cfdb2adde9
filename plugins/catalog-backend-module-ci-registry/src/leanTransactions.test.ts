import { TestDatabases } from '@backstage/backend-test-utils';
import type { Knex } from 'knex';
import { leanTransactions } from './leanTransactions';

jest.setTimeout(60_000);

/** What PostgreSQL's connections are asked to run, in order. */
function recordSent(db: Knex): string[] {
  const sent: string[] = [];
  const known = new WeakSet<object>();
  db.client.pool.on(
    'acquireSuccess',
    (_id: number, connection: { query: Function }) => {
      if (known.has(connection)) return;
      known.add(connection);
      const query = connection.query.bind(connection);
      connection.query = (statement: { text?: string }, ...rest: unknown[]) => {
        sent.push(typeof statement === 'string' ? statement : statement.text!);
        return query(statement, ...rest);
      };
    },
  );
  return sent;
}

describe('leanTransactions', () => {
  const databases = TestDatabases.create({ ids: ['POSTGRES_18', 'SQLITE_3'] });

  const onPostgres = databases
    .eachSupportedId()
    .filter(([id]) => id !== 'SQLITE_3');

  async function setUp(id: 'POSTGRES_18' | 'SQLITE_3') {
    const db = await databases.init(id);
    await db.schema.createTable('things', table => {
      table.string('name').primary();
    });
    const sent = id === 'POSTGRES_18' ? recordSent(db) : [];
    await leanTransactions(db);
    sent.length = 0;
    const names = () => db('things').orderBy('name').pluck('name');
    return { db, sent, names };
  }

  it.each(databases.eachSupportedId())(
    'keeps what transactions and savepoints promise, %p',
    async id => {
      const { db, names } = await setUp(id as 'POSTGRES_18');
      await db.transaction(async tx => {
        await tx('things').insert({ name: 'a' });
        await tx.transaction(async inner => {
          await inner('things').insert({ name: 'b' });
        });
      });
      await expect(
        db.transaction(async tx => {
          await tx('things').count();
          await tx('things').insert({ name: 'c' });
          throw new Error('away with c');
        }),
      ).rejects.toThrow('away with c');
      await db.transaction(async tx => {
        await tx('things').insert({ name: 'd' });
        await tx
          .transaction(async inner => {
            await inner('things').insert({ name: 'e' });
            await inner('things').insert({ name: 'a' });
          })
          .catch(() => {});
        await tx
          .transaction(async () => {
            throw new Error('nothing was done');
          })
          .catch(() => {});
        await tx('things').insert({ name: 'f' });
      });
      await expect(
        db.transaction(async tx => {
          await tx('things').insert({ name: 'g' });
          await tx('things').insert({ name: 'a' });
        }),
      ).rejects.toThrow(/unique/i);
      expect(await names()).toEqual(['a', 'b', 'd', 'f']);
    },
  );

  it.each(onPostgres)('sends what has an effect, and no more, %p', async () => {
    const { db, sent } = await setUp('POSTGRES_18');
    await db.transaction(async tx => {
      expect(await tx('things').count({ n: '*' })).toEqual([{ n: '0' }]);
    });
    expect(sent).toEqual(['select count(*) as "n" from "things"']);
    sent.length = 0;
    await db.transaction(async () => {});
    await db.transaction(async () => {}).then(() => {});
    await expect(
      db.transaction(async () => {
        throw new Error('nothing was done');
      }),
    ).rejects.toThrow('nothing was done');
    expect(sent).toEqual([]);
    await db.transaction(async tx => {
      await tx.transaction(async () => {});
      await tx('things').insert({ name: 'a' });
      await tx.batchInsert('things', [] as never, 50);
    });
    expect(sent).toEqual([
      'BEGIN;',
      'insert into "things" ("name") values ($1)',
      'COMMIT;',
    ]);
    sent.length = 0;
    await db.transaction(async tx => {
      await tx('things').where({ name: 'a' }).forUpdate();
    });
    expect(sent).toEqual([
      'BEGIN;',
      'select * from "things" where "name" = $1 for update',
      'COMMIT;',
    ]);
  });

  it.each(onPostgres)(
    'keeps the order of statements that nobody waits for in between, %p',
    async () => {
      const { db, names } = await setUp('POSTGRES_18');
      await db.transaction(async tx => {
        await Promise.all([
          tx('things').insert({ name: 'first' }),
          tx('things').where({ name: 'first' }).update({ name: 'second' }),
        ]);
      });
      expect(await names()).toEqual(['second']);
    },
  );

  it.each(onPostgres)('locks until the transaction ends, %p', async () => {
    const { db } = await setUp('POSTGRES_18');
    await db('things').insert({ name: 'a' });
    await db.transaction(async tx => {
      await tx('things').count();
      await tx('things').where({ name: 'a' }).forUpdate();
      expect(
        await db.transaction(other => other('things').forUpdate().skipLocked()),
      ).toEqual([]);
    });
    expect(
      await db.transaction(other => other('things').forUpdate().skipLocked()),
    ).toHaveLength(1);
  });
});
