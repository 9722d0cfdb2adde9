import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MIGRATIONS_FOLDER, migrate, roleOf } from '../src/platform/db/migrate.ts';
import { definition } from '../src/service.ts';
import { ownDatabase, type OwnDatabase } from './support/database.ts';
import { startHarness, usd, type Harness } from './support/harness.ts';
import { findViolations } from './support/invariants.ts';

let database: OwnDatabase;
let service: Harness;
let folder: string;
beforeAll(async () => {
  database = await ownDatabase('migrations');
  service = await startHarness({ DATABASE_URL: database.url });
  folder = await mkdtemp(join(tmpdir(), 'authorization-migrations-'));
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
  ALTER TABLE card ADD COLUMN nickname text;
  ALTER TABLE spend_account ADD COLUMN reviewed_at timestamptz;
  ALTER TABLE "authorization" ADD COLUMN rail text NOT NULL DEFAULT 'network';
  ALTER TABLE auth_event ADD COLUMN note text;
  ALTER TABLE auth_state ADD COLUMN disputed boolean NOT NULL DEFAULT false;
  ALTER TABLE idempotency ADD COLUMN region text DEFAULT 'eu';
  CREATE TABLE dispute (id uuid PRIMARY KEY, opened_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX auth_state_disputed ON auth_state (disputed) WHERE disputed;
  CREATE FUNCTION next_version() RETURNS int LANGUAGE sql AS 'SELECT 2';
`;

it('a second run changes nothing, and several at once take turns', async () => {
  expect(await run()).toEqual([]);
  expect(await Promise.all([run(), run(), run()])).toEqual([[], [], []]);
});

it('the version before decides on while the next schema is put in, and on it afterwards', async () => {
  const cards = await Promise.all(Array.from({ length: 6 }, () => service.funded('1000000')));
  let going = true;
  let answered = 0;
  const strange: unknown[] = [];
  const client = async (seed: number) => {
    for (let i = seed; going; i++) {
      const decided = await service.authorize(cards[i % 6]!.token, '10');
      const answers = [decided];
      const { id } = decided.body;
      if (i % 3 === 0) answers.push(await service.act(id, 'increments', { amount: usd('5') }));
      if (i % 4 === 0) answers.push(await service.act(id, 'captures', { amount: usd('4'), final: i % 8 === 0 }));
      if (i % 5 === 0) answers.push(await service.act(id, 'reversals', { amount: usd('1') }));
      if (i % 7 === 0) answers.push(await service.get(`/v1/authorizations/${id}/events`));
      answered += answers.length;
      // After a final capture nothing is held that could be reversed.
      strange.push(...answers.filter(({ status }) => status >= 300 && !(status === 409 && i % 8 === 0)));
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
  expect(await findViolations(database.migrationUrl)).toEqual([]);
});
