import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createDatabase, dropDatabase } from '../scripts/embedded.ts';
import { migrate, roleOf } from '../src/platform/db/migrate.ts';
import { uuidv7 } from '../src/platform/ids.ts';
import { definition } from '../src/service.ts';
import { startHarness, type Harness } from './support/harness.ts';

let service: Harness;
let app: pg.Client;
let owner: pg.Client;

// A database of its own: TRUNCATE locks whole tables, which other tests would feel.
const name = `ledger_append_only_${process.pid}_${Date.now().toString(36)}`;

beforeAll(async () => {
  const urls = await createDatabase(process.env.SERVICE_ADMIN_URL!, name);
  await migrate({ url: urls.migrationUrl, applicationRole: roleOf(urls.url), grants: definition.grants });
  service = await startHarness({ DATABASE_URL: urls.url });
  app = new pg.Client({ connectionString: urls.url });
  owner = new pg.Client({ connectionString: urls.migrationUrl });
  await Promise.all([app.connect(), owner.connect()]);
  const { account, bank } = await service.funded('100');
  await service.transfer(account, bank, '10');
});
afterAll(async () => {
  await Promise.all([app.end(), owner.end()]);
  await service.close();
  await dropDatabase(process.env.SERVICE_ADMIN_URL!, name);
});

const LEDGER = [
  'account',
  'account_status_change',
  'txn',
  'txn_link',
  'txn_resolution',
  'entry',
  'pending_entry',
  'audit_chain',
];
const TABLES = [...LEDGER, 'currency', 'account_balance', 'account_opening', 'idempotency', 'spent_key', 'pending_due'];
/** A column of each that an UPDATE may name. */
const COLUMNS: Record<string, string> = {
  account: 'created_at',
  account_status_change: 'created_at',
  txn: 'actor',
  txn_link: 'kind',
  txn_resolution: 'kind',
  entry: 'amount',
  pending_entry: 'amount',
  audit_chain: 'hash',
};
const DENIED = { code: '42501' };

describe('layer 1: the role of the service may read and call, nothing else', () => {
  it.each(TABLES)('%s', async table => {
    await expect(app.query(`SELECT * FROM ${table} LIMIT 1`)).resolves.toBeDefined();
    await expect(app.query(`INSERT INTO ${table} DEFAULT VALUES`)).rejects.toMatchObject(DENIED);
    await expect(app.query(`DELETE FROM ${table}`)).rejects.toMatchObject(DENIED);
    await expect(app.query(`TRUNCATE ${table} CASCADE`)).rejects.toMatchObject(DENIED);
    await expect(app.query(`DROP TABLE ${table}`)).rejects.toMatchObject(DENIED);
  });

  it('cannot change a balance or an entry', async () => {
    await expect(app.query('UPDATE account_balance SET credits_posted = 1')).rejects.toMatchObject(DENIED);
    await expect(app.query('UPDATE entry SET amount = 1')).rejects.toMatchObject(DENIED);
  });

  it('cannot go around the checks', async () => {
    await expect(
      app.query(
        `SELECT settle_write('reversal', NULL, gen_random_uuid(), NULL, NULL, NULL, 'x', '{}', '{}', '{}', '{}', '{}')`,
      ),
    ).rejects.toMatchObject(DENIED);
    await expect(app.query(`SELECT ledger_drop_day('2020-01-01')`)).rejects.toMatchObject(DENIED);
    await expect(app.query('CREATE TABLE mine (id int)')).rejects.toMatchObject(DENIED);
    await expect(app.query('ALTER TABLE entry DISABLE TRIGGER ALL')).rejects.toMatchObject(DENIED);
  });
});

describe('layer 2: triggers stop everyone, the owner too', () => {
  it.each(LEDGER)('%s', async table => {
    const message = { code: '42501', message: expect.stringContaining('append-only') };
    const column = COLUMNS[table]!;
    await expect(owner.query(`UPDATE ${table} SET ${column} = ${column}`)).rejects.toMatchObject(message);
    await expect(owner.query(`DELETE FROM ${table}`)).rejects.toMatchObject(message);
    await expect(owner.query(`TRUNCATE ${table} CASCADE`)).rejects.toMatchObject(message);
  });

  it('a partition takes nothing past its table, and keeps what it has', async () => {
    const { rows } = await owner.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits
        WHERE inhparent = ANY ('{txn,txn_link,txn_resolution,entry,pending_entry}'::regclass[])`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(5 * 8);
    for (const { name } of rows) {
      for (const statement of [`INSERT INTO ${name} DEFAULT VALUES`, `DELETE FROM ${name}`, `TRUNCATE ${name}`]) {
        await expect(owner.query(statement)).rejects.toMatchObject(DENIED);
      }
    }
  });

  it('a balance row stays', async () => {
    await expect(owner.query('DELETE FROM account_balance')).rejects.toMatchObject(DENIED);
  });
});

describe('layer 3: the database keeps the books balanced', () => {
  async function insertLegs(legs: [no: string, currency: string, amount: number][]): Promise<void> {
    await owner.query('BEGIN');
    try {
      const { rows } = await owner.query(
        `INSERT INTO txn (id, kind, effective_at, created_at, actor, metadata)
         VALUES ($1, 'posting', now(), now(), 'test', '{}') RETURNING id`,
        [uuidv7()],
      );
      const values = legs.map(
        ([no, currency, amount], i) =>
          `('${rows[0].id}', ${i + 1}, ${no}, '${currency}', ${amount}, 0, 0, ${1_000_000 + i})`,
      );
      await owner.query(
        `INSERT INTO entry (txn_id, line, account_no, currency, amount, balance_after, debits_after, account_version) VALUES ${values.join()}`,
      );
    } finally {
      await owner.query('ROLLBACK');
    }
  }

  it('refuses what does not sum to zero per currency, one-legged and zero entries, and a wrong currency', async () => {
    const { account, bank } = await service.funded('1');
    const { rows } = await owner.query('SELECT no FROM account WHERE id = ANY ($1) ORDER BY no', [[account, bank]]);
    const [a, b] = rows.map(row => String(row.no)) as [string, string];
    const unbalanced = { code: '23000', message: expect.stringContaining('unbalanced') };
    await expect(
      insertLegs([
        [a, 'USD', 5],
        [b, 'USD', -5],
      ]),
    ).resolves.toBeUndefined();
    await expect(
      insertLegs([
        [a, 'USD', 5],
        [b, 'USD', -4],
      ]),
    ).rejects.toMatchObject(unbalanced);
    await expect(insertLegs([[a, 'USD', 5]])).rejects.toMatchObject(unbalanced);
    await expect(
      insertLegs([
        [a, 'USD', 0],
        [b, 'USD', 0],
      ]),
    ).rejects.toMatchObject({ code: '23514' });
    await expect(
      insertLegs([
        [a, 'EUR', 5],
        [b, 'EUR', -5],
      ]),
    ).rejects.toMatchObject({ code: '23503' });
  });

  it('refuses a balance below the limit even from the owner', async () => {
    const { account } = await service.funded('1');
    await expect(
      owner.query(
        `UPDATE account_balance SET debits_posted = 2 WHERE account_no = (SELECT no FROM account WHERE id = $1)`,
        [account],
      ),
    ).rejects.toMatchObject({ code: '23514', constraint: 'account_balance_min_available' });
  });
});
