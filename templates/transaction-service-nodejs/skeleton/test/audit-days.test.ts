import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { dropDays } from '../src/ledger/work.ts';
import { uuidv7 } from '../src/platform/ids.ts';
import { expectSound, named, sealAll, verified } from './support/chain.ts';
import { ownDatabase, type OwnDatabase } from './support/database.ts';
import { startHarness, type Harness } from './support/harness.ts';

/** The chain after days were dropped: what is left can be proved, and nothing else may be missing. */

const DAY = 24 * 3_600_000;

let database: OwnDatabase;
let service: Harness;
let account: string;
let bank: string;
beforeAll(async () => {
  database = await ownDatabase('audit_days');
  service = await startHarness({ DATABASE_URL: database.url, AUDIT_BLOCK_LIMIT: '4' });
  ({ account, bank } = await service.funded('0'));
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

/** A posting with an id of some days ago, as far as days and chain are concerned. */
async function postedAgo(days: number): Promise<string> {
  const id = uuidv7(Date.now() - days * DAY);
  const { owner } = database;
  await owner.query('SELECT ledger_add_day($1)', [new Date(Date.now() - days * DAY).toISOString().slice(0, 10)]);
  await owner.query('BEGIN');
  await owner.query(
    `INSERT INTO txn (id, kind, currency, effective_at, created_at, actor, metadata) VALUES ($1, 'posting', 'USD', now(), now(), 'test', '{}')`,
    [id],
  );
  await owner.query(
    `WITH leg AS (SELECT * FROM (VALUES (1, $2::uuid, 5), (2, $3::uuid, -5)) AS x (line, id, amount)),
          moved AS (
            UPDATE account_balance b
               SET debits_posted = b.debits_posted + greatest(x.amount, 0), credits_posted = b.credits_posted - least(x.amount, 0),
                   version = b.version + 1
              FROM leg x WHERE b.account_id = x.id RETURNING b.*, x.line, x.amount)
     INSERT INTO entry (txn_id, account_no, amount, balance_after, debits_after, account_version, line, currency)
     SELECT $1, account_no, amount, debits_posted - credits_posted, debits_posted, version, line, 'USD' FROM moved`,
    [id, bank, account],
  );
  await owner.query('COMMIT');
  return id;
}

const leaves = async () =>
  (await database.owner.query('SELECT seq::int, cardinality(ids) AS n FROM audit_leaf ORDER BY seq')).rows.map(
    ({ seq, n }) => `${seq}: ${n}`,
  );

it('blocks of dropped days keep root and hash, those that reach into kept days keep their proofs', async () => {
  for (let i = 0; i < 6; i++) await postedAgo(10);
  const old = await postedAgo(9);
  const kept = await postedAgo(5);
  const today = (await service.transfer(bank, account, '5')).body.id;
  await sealAll(service);
  expect(await leaves()).toEqual(['1: 4', '2: 4', '3: 1']);
  await expectSound(service);

  expect(await dropDays(database.migrationUrl, 7, 3_000)).toMatchObject([{ transactions: 6 }, { transactions: 1 }]);
  // Block 2 is needed: it holds the one of five days ago.
  expect(await leaves()).toEqual(['2: 4', '3: 1']);
  const result = await expectSound(service);
  expect(result).toMatchObject({ blocks: 3, transactions: 2, dropped: 7 });
  expect((await service.get(`/v1/audit/proof/${old}`)).body.code).toBe('not-found');
  for (const id of [kept, today]) expect((await service.get(`/v1/audit/proof/${id}`)).status).toBe(200);

  // Another day, and the chain goes on.
  expect(await dropDays(database.migrationUrl, 4, 3_000)).toMatchObject([{ transactions: 1 }]);
  expect(await leaves()).toEqual(['3: 1']);
  await service.transfer(bank, account, '5');
  await sealAll(service);
  expect(await expectSound(service)).toMatchObject({ blocks: 4, transactions: 2, dropped: 8 });
});

it('what is gone and was not dropped is missed, wherever it was', async () => {
  const { admin } = database;
  await admin.query('SET session_replication_role = replica');
  const look = async () => named(await verified(service));
  const { rows } = await admin.query('SELECT ids[1]::text AS id FROM audit_leaf WHERE seq = 3');
  const [{ id }] = rows;
  const [txn] = (await admin.query('DELETE FROM txn WHERE id = $1 RETURNING *', [id])).rows;
  expect(await look()).toEqual([`transaction-missing 3 ${id}`]);
  // With the leaves gone as well it looks like a dropped day, and is one transaction too many.
  const [leaf] = (await admin.query('DELETE FROM audit_leaf WHERE seq = 3 RETURNING shard, seq, ids::text, hashes'))
    .rows;
  expect(await look()).toEqual(['dropped-days']);
  // An id that pretends to be of a dropped day does not help either.
  const fake = `{${uuidv7(Date.now() - 10 * DAY)}}`;
  const put = (ids: string) =>
    admin.query('INSERT INTO audit_leaf (shard, seq, ids, hashes) VALUES ($1, $2, $3, $4)', [
      leaf.shard,
      leaf.seq,
      ids,
      leaf.hashes,
    ]);
  await put(fake);
  expect(await look()).toEqual(['dropped-days']);
  await admin.query('DELETE FROM audit_leaf WHERE seq = 3');
  await put(leaf.ids);
  const columns = Object.keys(txn);
  await admin.query(
    `INSERT INTO txn (${columns.join()}) VALUES (${columns.map((_, i) => `$${i + 1}`).join()})`,
    columns.map(name => (name === 'metadata' ? JSON.stringify(txn[name]) : txn[name])),
  );
  expect(named(await verified(service))).toEqual([]);
});
