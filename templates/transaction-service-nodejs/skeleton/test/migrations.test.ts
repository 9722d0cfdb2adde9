import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MIGRATIONS_FOLDER, migrate, roleOf } from '../src/platform/db/migrate.ts';
import { definition } from '../src/service.ts';
import { ownDatabase, type OwnDatabase } from './support/database.ts';
import { legs, startHarness, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';

let database: OwnDatabase;
let service: Harness;
let folder: string;
beforeAll(async () => {
  database = await ownDatabase('migrations');
  service = await startHarness({ DATABASE_URL: database.url });
  folder = await mkdtemp(join(tmpdir(), 'ledger-migrations-'));
  await cp(MIGRATIONS_FOLDER, folder, { recursive: true });
});
afterAll(async () => {
  await service.close();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

const run = () =>
  migrate({ url: database.migrationUrl, applicationRole: roleOf(database.url), grants: definition.grants, folder });

/** What a next version might add: everything that the version which still runs does not know. */
const NEXT = `
  ALTER TABLE account ADD COLUMN nickname text;
  ALTER TABLE account_balance ADD COLUMN reviewed_at timestamptz;
  ALTER TABLE txn ADD COLUMN channel text NOT NULL DEFAULT 'api';
  ALTER TABLE entry ADD COLUMN note text;
  ALTER TABLE idempotency ADD COLUMN region text DEFAULT 'eu';
  CREATE TABLE statement (id uuid PRIMARY KEY, account_no bigint NOT NULL REFERENCES account (no));
  CREATE INDEX txn_channel ON txn (channel, id);
  CREATE FUNCTION next_version() RETURNS int LANGUAGE sql AS 'SELECT 2';
`;

it('a second run changes nothing', async () => {
  expect(await run()).toEqual([]);
});

it('two at once take turns', async () => {
  expect(await Promise.all([run(), run(), run()])).toEqual([[], [], []]);
});

it('the version before works on while the next schema is put in, and on it afterwards', async () => {
  const accounts = await Promise.all(Array.from({ length: 6 }, async () => (await service.funded('100000')).account));
  let going = true;
  let answered = 0;
  const strange: unknown[] = [];
  const client = async (seed: number) => {
    for (let i = seed; going; i++) {
      const [from, to] = [accounts[i % 6]!, accounts[(i + 1 + (i % 4)) % 6]!];
      const answers = [await service.transfer(from, to, '1')];
      if (i % 5 === 0) answers.push(await service.post(`/v1/transactions/${answers[0]!.body.id}/reversal`, {}));
      if (i % 7 === 0) answers.push(await service.get(`/v1/accounts/${from}/entries?limit=5`));
      if (i % 9 === 0) {
        const pending = { expiresAt: new Date(Date.now() + 60_000).toISOString() };
        const held = await service.post('/v1/transactions', { legs: legs(from, to, '2'), pending });
        answers.push(held, await service.post(`/v1/transactions/${held.body.id}/post`, {}));
      }
      answered += answers.length;
      strange.push(...answers.filter(({ status }) => status >= 300));
    }
  };
  const clients = Array.from({ length: 8 }, (_, i) => client(i * 11));
  const until = async (count: number) => {
    while (answered < count && strange.length === 0) await new Promise(resolve => setImmediate(resolve));
  };
  await until(50);
  await writeFile(join(folder, '0099_next.sql'), NEXT);
  expect(await run()).toEqual(['0099_next.sql']);
  const atMigration = answered;
  await until(atMigration + 100);
  going = false;
  await Promise.all(clients);
  expect(strange).toEqual([]);
  expect(answered).toBeGreaterThan(atMigration);
  const { rows } = await database.owner.query(`SELECT count(*)::int AS n FROM txn WHERE channel = 'api'`);
  expect(rows[0].n).toBeGreaterThan(100);
  // New partitions get the new columns as well.
  await database.owner.query(`SELECT ledger_add_day(current_date + 30)`);
  expect(await findViolations(database.migrationUrl)).toEqual([]);
});

it('a file that was changed after it was applied is refused', async () => {
  await writeFile(join(folder, '0099_next.sql'), `${NEXT} -- later`);
  await expect(run()).rejects.toThrow(/0099_next\.sql was changed after it was applied/);
});

it('a migration that fails leaves nothing behind', async () => {
  await writeFile(join(folder, '0099_next.sql'), NEXT);
  await writeFile(join(folder, '0100_broken.sql'), 'CREATE TABLE half (id int); SELECT 1 / 0;');
  await expect(run()).rejects.toThrow(/division by zero/);
  const { rows } = await database.owner.query(`SELECT to_regclass('half') AS found`);
  expect(rows[0].found).toBeNull();
});
