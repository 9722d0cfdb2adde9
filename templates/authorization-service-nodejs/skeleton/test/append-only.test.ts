import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startHarness, type Harness } from './support/harness.ts';

let service: Harness;
let app: pg.Client;
let owner: pg.Client;
beforeAll(async () => {
  service = await startHarness();
  const { token } = await service.funded('100');
  await service.approved(token, '10');
  app = new pg.Client({ connectionString: process.env.SERVICE_APP_URL });
  owner = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
  await Promise.all([app.connect(), owner.connect()]);
});
afterAll(async () => {
  await Promise.all([app.end(), owner.end()]);
  await service.close();
});

const IMMUTABLE = [
  '"authorization"',
  'auth_event',
  'rule_set',
  'void_ref',
  'capture_posting',
  'shadow_decision',
  'setting_change',
];

describe('layer 1: the role of the service may read and call, not write', () => {
  it.each([
    ...IMMUTABLE,
    'auth_state',
    'spend_account',
    'card',
    'limit_counter',
    'idempotency',
    'currency',
    'state_transition',
  ])('%s', async table => {
    const name = table.replaceAll('"', '');
    const { rows } = await app.query(
      `SELECT array_agg(DISTINCT privilege_type::text) AS rights FROM information_schema.role_table_grants
        WHERE table_name = $1 AND grantee = current_user`,
      [name],
    );
    expect(rows[0].rights).toEqual(['SELECT']);
    for (const sql of [`DELETE FROM ${table}`, `TRUNCATE ${table}`, `INSERT INTO ${table} DEFAULT VALUES`]) {
      await expect(app.query(sql)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('nor call what only the functions may call, nor change the schema', async () => {
    await expect(app.query(`SELECT count_approval(gen_random_uuid(), 1, 1, now())`)).rejects.toMatchObject({
      code: '42501',
    });
    await expect(app.query(`SELECT begin_request('a', 'b', '\\x00')`)).rejects.toMatchObject({ code: '42501' });
    await expect(app.query('CREATE TABLE mine (id int)')).rejects.toMatchObject({ code: '42501' });
    await expect(app.query('ALTER TABLE card DISABLE TRIGGER ALL')).rejects.toMatchObject({ code: '42501' });
  });
});

describe('layer 2: triggers stop the owner', () => {
  it.each(IMMUTABLE)('%s is never changed', async table => {
    // The first one may be an identity, which has an error of its own.
    const column = (await owner.query(`SELECT * FROM ${table} LIMIT 0`)).fields[1]!.name;
    for (const sql of [`UPDATE ${table} SET ${column} = ${column}`, `DELETE FROM ${table}`, `TRUNCATE ${table}`]) {
      await expect(owner.query(sql)).rejects.toThrow('append-only');
    }
  });

  it.each(['auth_state', 'spend_account', 'card'])('%s loses no rows', async table => {
    await expect(owner.query(`DELETE FROM ${table}`)).rejects.toThrow('append-only');
    await expect(owner.query(`TRUNCATE ${table} CASCADE`)).rejects.toThrow('append-only');
  });
});

describe('layer 3: constraints hold for everyone', () => {
  it.each([
    [
      'funds',
      'UPDATE spend_account SET held = balance + credit_limit + 1 WHERE NOT overdrawn',
      'spend_account_open_to_buy',
    ],
    ['a negative hold', 'UPDATE spend_account SET held = -1', 'spend_account_range'],
    ['a state that does not add up', 'UPDATE auth_state SET held = held + 1', 'auth_state_check'],
    ['a card number as token', `UPDATE card SET token = '4111111111111111'`, 'card_token_check'],
  ])('%s', async (_what, sql, constraint) => {
    await expect(owner.query(sql)).rejects.toMatchObject({ code: '23514', constraint });
  });
});
