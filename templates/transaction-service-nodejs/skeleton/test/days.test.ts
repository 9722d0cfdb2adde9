import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LedgerClock } from '../src/ledger/clock.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { dropDays } from '../src/ledger/work.ts';
import { uuidv7 } from '../src/platform/ids.ts';
import { sealAll } from './support/chain.ts';
import { ownDatabase, type OwnDatabase } from './support/database.ts';
import { legs, startHarness, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';

const DAY = 24 * 3_600_000;
const HOUR = 3_600_000;

let database: OwnDatabase;
let service: Harness;
beforeAll(async () => {
  database = await ownDatabase('days');
  service = await startHarness({ DATABASE_URL: database.url, MIGRATION_DATABASE_URL: database.migrationUrl });
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

const dayOf = (ago: number) => new Date(Date.now() - ago * DAY).toISOString().slice(0, 10);
const noOf = async (id: string): Promise<string> =>
  (await database.owner.query('SELECT account_no FROM account_balance WHERE account_id = $1', [id])).rows[0].account_no;

/** A posting as it would have been written some days ago. */
async function postedAgo(days: number, from: string, to: string, value: number): Promise<string> {
  await database.owner.query('SELECT ledger_add_day($1)', [dayOf(days)]);
  const id = uuidv7(Date.now() - days * DAY);
  const at = new Date(Date.now() - days * DAY);
  await database.owner.query('BEGIN');
  await database.owner.query(
    `INSERT INTO txn (id, kind, currency, effective_at, created_at, actor, metadata) VALUES ($1, 'posting', 'USD', $2, $2, 'test', '{}')`,
    [id, at],
  );
  await database.owner.query(
    `INSERT INTO entry (txn_id, account_no, amount, balance_after, debits_after, account_version, line, currency)
     SELECT $1, b.account_no, x.amount, b.debits_posted - b.credits_posted + x.amount, b.debits_posted + greatest(x.amount, 0),
            b.version + 1, x.line, 'USD'
       FROM (VALUES (1, $2::bigint, $4::bigint), (2, $3::bigint, -$4::bigint)) AS x (line, no, amount)
       JOIN account_balance b ON b.account_no = x.no`,
    [id, await noOf(from), await noOf(to), value],
  );
  for (const [account, amount] of [
    [from, value],
    [to, -value],
  ] as const) {
    await database.owner.query(
      `UPDATE account_balance SET debits_posted = debits_posted + greatest($2::bigint, 0), version = version + 1,
              credits_posted = credits_posted - least($2::bigint, 0) WHERE account_id = $1`,
      [account, amount],
    );
  }
  await database.owner.query('COMMIT');
  return id;
}

describe('days that are over', () => {
  it('are dropped by the role that owns the schema, sealed, settled and the oldest first, and the books stay provable', async () => {
    const bank = await service.openAccount({ kind: 'asset' });
    const account = await service.openAccount({ minAvailable: '0' });
    const oldest = await postedAgo(10, bank, account, 70);
    await postedAgo(9, bank, account, 30);
    const held = uuidv7(Date.now() - 9 * DAY);
    await database.owner.query(`INSERT INTO pending_due (txn_id, expires_at) VALUES ($1, now() + interval '1 day')`, [
      held,
    ]);
    await service.transfer(account, bank, '25');

    const drop = (ago: number) => database.owner.query('SELECT ledger_drop_day($1)', [dayOf(ago)]);
    await expect(drop(0)).rejects.toThrow(/is not over/);
    await expect(drop(9)).rejects.toThrow(/the oldest is dropped first/);
    await expect(drop(10)).rejects.toThrow(/not sealed yet/);
    await sealAll(service);
    // Stops at the day that must stay, with the reason; what was dropped before stays dropped.
    await expect(dropDays(database.migrationUrl, 5, 3_000)).rejects.toThrow(
      /1 pending transactions that are neither posted nor voided/,
    );
    expect((await service.get(`/v1/transactions/${oldest}`)).status).toBe(404);
    await database.owner.query('DELETE FROM pending_due WHERE txn_id = $1', [held]);
    const dropped = await dropDays(database.migrationUrl, 5, 3_000);
    expect(dropped).toEqual([{ day: dayOf(9), transactions: 1 }]);
    expect(await dropDays(database.migrationUrl, 5, 3_000)).toEqual([]);

    expect(await findViolations(database.migrationUrl)).toEqual([]);
    await service.transfer(bank, account, '5');
    expect(await findViolations(database.migrationUrl)).toEqual([]);
    const now = (await service.get(`/v1/accounts/${account}/balance`)).body;
    expect(now).toMatchObject({ posted: '80', version: 4 });
    expect((await service.get(`/v1/accounts/${account}/entries`)).body.items).toHaveLength(2);
    // What is still known can be asked for; what is not is said to be unknown.
    const at = async (moment: string) =>
      service.get(`/v1/accounts/${account}/balance?at=${encodeURIComponent(moment)}`);
    expect((await at(`${dayOf(8)}T12:00:00Z`)).body).toMatchObject({ posted: '100', version: 2 });
    expect((await at(`${dayOf(9)}T00:00:00Z`)).body).toMatchObject({
      code: 'validation-failed',
      errors: [{ code: 'history-dropped' }],
    });
  });

  it('cannot be dropped by the role of the service', async () => {
    await expect(dropDays(database.url, 5, 3_000)).resolves.toEqual([]);
    await database.owner.query('SELECT ledger_add_day($1)', [dayOf(20)]);
    await expect(dropDays(database.url, 5, 3_000)).rejects.toMatchObject({ code: '42501' });
    await expect(dropDays(database.migrationUrl, 5, 3_000)).resolves.toHaveLength(1);
  });
});

describe('a day without partitions', () => {
  it('is added by the first posting that needs it, and by the worker for the days to come', async () => {
    const { account, bank } = await service.funded('10');
    const days = async () =>
      Number(
        (await database.owner.query(`SELECT count(*) FROM pg_inherits WHERE inhparent = 'txn'::regclass`)).rows[0]
          .count,
      );
    const before = await days();
    for (let ago = 1; ago >= -7; ago--) {
      // As if nothing had made them: the test is older than any partition.
      const suffix = dayOf(ago).replaceAll('-', '');
      for (const table of ['pending_entry', 'entry', 'txn_resolution', 'txn_link', 'txn']) {
        await database.admin.query(`ALTER TABLE ${table} DETACH PARTITION ${table}_${suffix}`);
        await database.admin.query(`ALTER TABLE ${table}_${suffix} RENAME TO ${table}_away_${suffix}`);
      }
    }
    const answers = await Promise.all(Array.from({ length: 10 }, () => service.transfer(account, bank, '1')));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 201));
    expect(await days()).toBe(before);
    const worker = service.runtime.workers.find(({ name }) => name === 'add-days')!;
    await worker.run(new AbortController().signal);
    expect(await days()).toBe(before);
  });
});

describe('a replica with a wrong clock', () => {
  const options = { flushers: 2, batchSize: 64, queueLimit: 100, batchLockTimeout: 200, keyHours: 72 };
  const caller = () => ({ clientId: 'skewed', idempotencyKey: randomUUID() });
  const timeOf = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

  it.each([
    ['five minutes behind', -5 * 60_000],
    ['five minutes ahead', 5 * 60_000],
    ['three days ahead', 3 * DAY],
    ['a year behind', -365 * DAY],
  ])('%s posts into days that exist, and learns the time', async (_name, skew) => {
    const { account, bank } = await service.funded('100');
    const ledger = new Ledger(service.runtime.database, options, new LedgerClock(() => Date.now() + skew));
    const post = () => ledger.post(caller(), { legs: legs(account, bank, '1') as never });
    await post();
    const { body } = await post();
    expect(Math.abs(timeOf(body.id) - Date.now())).toBeLessThan(HOUR);
    expect(Math.abs(ledger.clock.now() - Date.now())).toBeLessThan(60_000);
    const { createdAt } = JSON.parse(body.document) as { createdAt: string };
    expect(Math.abs(Date.parse(createdAt) - Date.now())).toBeLessThan(60_000);
    expect(await service.balance(account)).toBe('98');
  });
});

describe('a repetition after the answers were forgotten', () => {
  const age = (key: string, hours: number) =>
    database.admin.query(`UPDATE idempotency SET created_at = now() - make_interval(hours => $2) WHERE key = $1`, [
      key,
      hours,
    ]);
  const forget = async () => {
    const { rows } = await database.owner.query('SELECT idempotency_purge(72, 1000) AS n');
    return rows[0].n as number;
  };
  const known = async (key: string) =>
    (await database.owner.query('SELECT 1 FROM idempotency WHERE key = $1', [key])).rowCount;
  const expired = { status: 422, body: { code: 'idempotency-key-expired' } };

  it.each([
    ['a random UUID', () => randomUUID(), 80],
    ['any text', () => `order-${randomUUID()}`, 80],
    ['a UUIDv7', () => uuidv7(Date.now() - 80 * HOUR), 80],
  ])('under %s is refused and posts nothing', async (_name, make, hours) => {
    const { account, bank } = await service.funded('100');
    const key = make();
    const old = make().length === 36 && key[14] === '7';
    if (old) {
      // Too old to be new, so it cannot be sent now; it was answered when it was young.
      expect(await service.transfer(account, bank, '1', key)).toMatchObject(expired);
    } else {
      expect((await service.transfer(account, bank, '1', key)).status).toBe(201);
      await age(key, hours);
      expect(await forget()).toBeGreaterThanOrEqual(1);
    }
    expect(await known(key)).toBe(0);
    const balance = await service.balance(account);
    for (const again of [
      await service.transfer(account, bank, '1', key),
      await service.transfer(account, bank, '2', key),
      await service.post(
        '/v1/transactions:batch',
        { items: [{ legs: legs(account, bank, '1') }] },
        { 'idempotency-key': key },
      ),
      await service.post('/v1/accounts', { name: 'x', kind: 'asset', currency: 'USD' }, { 'idempotency-key': key }),
    ]) {
      expect(again).toMatchObject(expired);
    }
    expect(await service.balance(account)).toBe(balance);
    expect(await known(key)).toBe(0);
  });

  it('a key of the future is kept until it is old by its own time', async () => {
    const { account, bank } = await service.funded('100');
    const key = uuidv7(Date.now() + 10 * HOUR);
    expect((await service.transfer(account, bank, '1', key)).status).toBe(201);
    await age(key, 80);
    await forget();
    expect((await service.transfer(account, bank, '1', key)).status).toBe(200);
    expect(await service.balance(account)).toBe('99');
  });

  it('a young key is kept; an old one is answered until it is forgotten', async () => {
    const { account, bank } = await service.funded('100');
    const young = randomUUID();
    const aged = uuidv7(Date.now() - 71 * HOUR);
    for (const key of [young, aged]) expect((await service.transfer(account, bank, '1', key)).status).toBe(201);
    await age(aged, 72);
    await forget();
    for (const key of [young, aged]) expect((await service.transfer(account, bank, '1', key)).status).toBe(200);
  });

  it('one spent key in a batch of new ones refuses itself alone', async () => {
    const { account, bank } = await service.funded('100');
    const spent = randomUUID();
    await service.transfer(account, bank, '1', spent);
    await age(spent, 80);
    await forget();
    const answers = await Promise.all(
      [randomUUID(), spent, randomUUID()].map(key => service.transfer(account, bank, '1', key)),
    );
    expect(answers.map(({ status }) => status)).toEqual([201, 422, 201]);
    expect(await service.balance(account)).toBe('97');
  });
});
