import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ROOT } from '../scripts/contract.ts';
import { createDatabase, dropDatabase } from '../scripts/embedded.ts';
import { reconcile, type Reconciliation } from '../src/ledger/reconcile.ts';
import { readSettings, type LedgerSettings } from '../src/ledger/settings.ts';
import { EnvironmentReader } from '../src/platform/config.ts';
import { ownDatabase, type OwnDatabase } from './support/database.ts';
import { legs, startHarness, type Harness } from './support/harness.ts';

let database: OwnDatabase;
let service: Harness;
let account: string;
let bank: string;
let posted: string;

beforeAll(async () => {
  database = await ownDatabase('reconcile');
  service = await startHarness({ DATABASE_URL: database.url });
  ({ account, bank } = await service.funded('100'));
  const first = await service.transfer(account, bank, '40');
  posted = first.body.id;
  await service.post(`/v1/transactions/${posted}/reversal`, { amount: { value: '15', currency: 'USD' } });
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const held = { legs: legs(account, bank, '20'), pending: { expiresAt } };
  const [one, two] = [await service.post('/v1/transactions', held), await service.post('/v1/transactions', held)];
  await service.post(`/v1/transactions/${one.body.id}/post`, { amount: { value: '5', currency: 'USD' } });
  await service.post(`/v1/transactions/${two.body.id}/void`, {});
  await service.post('/v1/transactions', held);
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

const settings = (env: Record<string, string> = {}): LedgerSettings['reconciliation'] =>
  readSettings(new EnvironmentReader(env)).reconciliation;

const run = (env: Record<string, string> = {}): Promise<Reconciliation> => reconcile(service.config, settings(env));

const breached = (result: Reconciliation) =>
  result.checks.filter(({ status }) => status === 'breached').map(({ id }) => id);

/** Does what only an administrator can, past every trigger, and undoes it with the other statement. */
async function seeded<T>(change: string, back: string, look: () => Promise<T>): Promise<T> {
  await database.admin.query('SET session_replication_role = replica');
  await database.admin.query(change);
  try {
    return await look();
  } finally {
    await database.admin.query(back);
  }
}

const no = (id: string) => `(SELECT account_no FROM account_balance WHERE account_id = '${id}')`;

it('finds nothing in books that are in order', async () => {
  const result = await run();
  expect(result).toMatchObject({ ok: true });
  expect(result.checks.map(({ id, status }) => `${id} ${status}`)).toEqual([
    'R1 ok',
    'R2 ok',
    'R3 ok',
    'R4 ok',
    'R5 ok',
    'R6 skipped',
  ]);
});

describe('finds each breach by its name', () => {
  it('R1: a changed amount', async () => {
    const where = `WHERE txn_id = '${posted}' AND line = 1`;
    const result = await seeded(
      `UPDATE entry SET amount = amount + 1 ${where}`,
      `UPDATE entry SET amount = amount - 1 ${where}`,
      run,
    );
    // The balance is no longer the sum either.
    expect(breached(result)).toEqual(['R1', 'R2']);
    expect(result.checks[0]).toMatchObject({ breaches: 1, examples: [{ what: posted, detail: 'USD 1' }] });
  });

  it('R1: a transaction without entries', async () => {
    const id = posted.replace(/.{12}$/, '000000000000');
    const result = await seeded(
      `INSERT INTO txn (id, kind, effective_at, created_at, actor, metadata) VALUES ('${id}', 'posting', now(), now(), 'x', '{}')`,
      `DELETE FROM txn WHERE id = '${id}'`,
      run,
    );
    expect(breached(result)).toEqual(['R1']);
    expect(result.checks[0]!.examples).toEqual([{ what: id, detail: 'no entries' }]);
  });

  it.each(['credits_posted', 'debits_pending'])('R2: another %s', async column => {
    const where = `WHERE account_id = '${account}'`;
    const result = await seeded(
      `UPDATE account_balance SET ${column} = ${column} + 1 ${where}`,
      `UPDATE account_balance SET ${column} = ${column} - 1 ${where}`,
      run,
    );
    expect(breached(result)).toEqual(['R2']);
    expect(result.checks[1]!.examples[0]!.what).toBe(account);
  });

  it('R3: a version too high', async () => {
    const where = `WHERE account_id = '${bank}'`;
    const result = await seeded(
      `UPDATE account_balance SET version = version + 1 ${where}`,
      `UPDATE account_balance SET version = version - 1 ${where}`,
      run,
    );
    expect(breached(result)).toEqual(['R3']);
    expect(result.checks[2]!.examples[0]!.what).toBe(bank);
  });

  it('R3: one version twice and another one missing', async () => {
    const of = `WHERE account_no = ${no(bank)} AND account_version`;
    const result = await seeded(
      `UPDATE entry SET account_version = 3 ${of} = 2`,
      `UPDATE entry SET account_version = 2 ${of} = 3 AND txn_id = '${posted}'`,
      run,
    );
    expect(breached(result)).toEqual(['R3']);
  });

  it('R3: a pending version with a gap', async () => {
    const of = `WHERE account_no = ${no(bank)} AND account_version`;
    const result = await seeded(
      `UPDATE pending_entry SET account_version = 99 ${of} = 1`,
      `UPDATE pending_entry SET account_version = 1 ${of} = 99`,
      run,
    );
    expect(breached(result)).toEqual(['R3']);
  });

  it('R4: a key whose transaction is gone', async () => {
    const result = await seeded(
      `INSERT INTO idempotency (client_id, key, fingerprint, status, txn_id) VALUES ('x', 'lost', '\\x00', 201, '${randomUUID()}')`,
      `DELETE FROM idempotency WHERE key = 'lost'`,
      run,
    );
    expect(breached(result)).toEqual(['R4']);
    expect(result.checks[3]!.examples[0]!.what).toBe('x lost');
  });

  it('R5: an event that nobody publishes', async () => {
    const result = await seeded(
      `INSERT INTO outbox (topic, aggregate_id, type, payload, created_at) VALUES ('t', 'a', 'old.v1', '{}', now() - interval '2 minutes')`,
      `DELETE FROM outbox WHERE type = 'old.v1'`,
      run,
    );
    expect(breached(result)).toEqual(['R5']);
    expect(result.checks[4]!.examples[0]!.detail).toMatch(/^old\.v1 of a, 12\d seconds old$/);
  });
});

it('further checks join, and their breach is a breach of the books', async () => {
  const chain = async () => ({ id: 'R7', title: 'chain', status: 'breached' as const, breaches: 1, examples: [] });
  const result = await reconcile(service.config, settings(), undefined, [chain]);
  expect([result.ok, breached(result)]).toEqual([false, ['R7']]);
});

describe('R6 compares with the authorization service', () => {
  const name = `ledger_captures_${process.pid}_${Date.now().toString(36)}`;
  const [enough, missing] = [randomUUID(), randomUUID()];
  let url: string;

  beforeAll(async () => {
    url = (await createDatabase(process.env.SERVICE_ADMIN_URL!, name)).migrationUrl;
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(
      'CREATE TABLE auth_event (auth_id uuid, seq int, kind text, amount bigint, created_at timestamptz)',
    );
    const add = (id: string, kind: string, amount: number, age: string) =>
      client.query(`INSERT INTO auth_event VALUES ($1, 1, $2, $3, now() - $4::interval)`, [id, kind, amount, age]);
    await add(enough, 'AUTHORIZED', 90, '1 hour');
    await add(enough, 'CAPTURED', 10, '1 hour');
    await add(enough, 'FORCE_POSTED', 2, '1 hour');
    await add(missing, 'CAPTURED', 7, '1 hour');
    await add(randomUUID(), 'CAPTURED', 5, '10 seconds');
    await client.end();
  });
  afterAll(() => dropDatabase(process.env.SERVICE_ADMIN_URL!, name));

  it('names what was captured and not posted; what is on its way is left alone', async () => {
    for (const value of ['10', '2']) {
      await service.post('/v1/transactions', { legs: legs(account, bank, value), externalRef: enough });
    }
    const result = await run({ AUTHORIZATION_DATABASE_URL: url });
    expect(breached(result)).toEqual(['R6']);
    expect(result.checks[5]).toMatchObject({
      breaches: 1,
      examples: [{ what: missing, detail: 'captured 7, posted 0' }],
    });
    await service.post('/v1/transactions', { legs: legs(account, bank, '7'), externalRef: missing });
    expect(breached(await run({ AUTHORIZATION_DATABASE_URL: url }))).toEqual([]);
  });

  it('fails when that database is away, and says so', async () => {
    const away = run({ AUTHORIZATION_DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' });
    await expect(away).rejects.toThrow(/ECONNREFUSED/);
  });
});

it('the worker sets the metric, and logs a breach', async () => {
  const worker = service.runtime.workers.find(({ name }) => name === 'reconcile')!;
  const where = `WHERE account_id = '${bank}'`;
  await seeded(
    `UPDATE account_balance SET version = version + 1 ${where}`,
    `UPDATE account_balance SET version = version - 1 ${where}`,
    () => worker.run(new AbortController().signal),
  );
  const metrics = (await service.get('/metrics')).body as string;
  expect(metrics).toContain('ledger_reconciliation_breaches{check="R3"} 1');
  expect(metrics).toContain('ledger_reconciliation_breaches{check="R1"} 0');
  expect(service.log.some(line => line.includes('the books are not in order'))).toBe(true);
});

it('npm run reconcile prints JSON and ends with 1 when the books are not in order', async () => {
  const command = () => {
    const { NODE_OPTIONS: _options, ...env } = process.env;
    return spawnSync(process.execPath, ['scripts/command.ts', 'reconcile'], {
      cwd: ROOT,
      encoding: 'utf8',
      env: { ...env, DATABASE_URL: database.url },
    });
  };
  const good = command();
  expect([good.status, JSON.parse(good.stdout).ok]).toEqual([0, true]);
  const where = `WHERE account_id = '${bank}'`;
  const bad = await seeded(
    `UPDATE account_balance SET credits_posted = credits_posted + 1 ${where}`,
    `UPDATE account_balance SET credits_posted = credits_posted - 1 ${where}`,
    async () => command(),
  );
  expect(bad.status).toBe(1);
  expect(breached(JSON.parse(bad.stdout))).toEqual(['R2']);
});
