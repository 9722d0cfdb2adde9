import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Registry } from 'prom-client';
import { createDatabase, dropDatabase, type DatabaseUrls } from '../scripts/embedded.ts';
import { Reconciliation } from '../src/authorization/reconcile.ts';
import { migrate, roleOf } from '../src/platform/db/migrate.ts';
import { EventSchemas, type CloudEvent } from '../src/platform/events/event.ts';
import { definition } from '../src/service.ts';
import { startHarness, usd, type Harness } from './support/harness.ts';

/** A database of its own: what is broken here must not be found by the other tests. */
const name = `authorization_jobs_${process.pid}_${Date.now().toString(36)}`;
let urls: DatabaseUrls;
let service: Harness;
let owner: pg.Client;

beforeAll(async () => {
  urls = await createDatabase(process.env.SERVICE_ADMIN_URL!, name);
  await migrate({ url: urls.migrationUrl, applicationRole: roleOf(urls.url), grants: definition.grants });
  service = await startHarness({ DATABASE_URL: urls.url });
  owner = new pg.Client({ connectionString: urls.migrationUrl });
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await service.close();
  await dropDatabase(process.env.SERVICE_ADMIN_URL!, name);
});

async function command(which: string): Promise<{ code: number; output: any }> {
  let text = '';
  const code = await service.runtime.parts.commands![which]!.run([], line => (text += line));
  return { code, output: JSON.parse(text) };
}

/** Changes rows behind the back of the service, as only the owner could after taking the triggers away; nothing of it stays. */
async function tampered(changes: readonly (readonly [sql: string, ...values: unknown[]])[]) {
  const registry = new Registry();
  // On the connection that has changed them: nobody else sees it.
  const run = async ({ text }: { text: string }) => (await owner.query(text)).rows;
  const reconciliation = new Reconciliation({ run: run as never }, registry);
  await owner.query('BEGIN');
  try {
    for (const table of ['authorization', 'auth_event', 'capture_posting', 'auth_state', 'spend_account']) {
      await owner.query(`ALTER TABLE "${table}" DISABLE TRIGGER USER`);
    }
    for (const [sql, ...values] of changes) expect((await owner.query(sql, values)).rowCount).toBeGreaterThan(0);
    let text = '';
    const code = await reconciliation.command().run([], line => (text += line));
    return { code, output: JSON.parse(text), metrics: await registry.metrics() };
  } finally {
    await owner.query('ROLLBACK');
  }
}

describe('expiry', () => {
  const makeOld = (id: string) =>
    owner.query(`UPDATE auth_state SET expires_at = now() - interval '1 second' WHERE auth_id = $1`, [id]);

  it('lets go what is overdue, and nothing else', async () => {
    const { account, token } = await service.funded('1000');
    const [old, open, captured] = [
      await service.approved(token, '100'),
      await service.approved(token, '10'),
      await service.approved(token, '1'),
    ];
    await service.act(captured, 'captures', { amount: usd('1') });
    await makeOld(old);
    await makeOld(captured);
    expect((await service.get('/metrics')).body).toMatch(/holds_overdue_age_seconds [1-9]/);
    expect(await command('expire')).toEqual({ code: 0, output: { expired: 1 } });
    expect(await command('expire')).toEqual({ code: 0, output: { expired: 0 } });
    const status = async (id: string) => (await service.get(`/v1/authorizations/${id}`)).body.status;
    expect([await status(old), await status(open), await status(captured)]).toEqual([
      'EXPIRED',
      'AUTHORIZED',
      'CAPTURED',
    ]);
    expect(await service.account(account)).toMatchObject({ held: '10' });
  });

  it('leaves an account that is busy for the next run, and two runs at once share the work', async () => {
    const busy = await service.funded('1000');
    const free = await service.funded('1000');
    const ids: string[] = [];
    for (const { token } of [busy, free, free]) ids.push(await service.approved(token, '5'));
    for (const id of ids) await makeOld(id);
    await owner.query('BEGIN');
    await owner.query('SELECT 1 FROM spend_account WHERE id = $1 FOR UPDATE', [busy.account]);
    const runs = await Promise.all([command('expire'), command('expire')]);
    await owner.query('ROLLBACK');
    expect(runs.reduce((sum, { output }) => sum + output.expired, 0)).toBe(2);
    expect((await command('expire')).output.expired).toBe(1);
  });

  it('runs as a worker', async () => {
    const { token } = await service.funded('1000');
    await makeOld(await service.approved(token, '5'));
    const worker = service.runtime.parts.workers!.find(({ name: which }) => which === 'expire-holds')!;
    expect(await worker.run(new AbortController().signal)).toBe(false);
    expect((await service.get('/metrics')).body).toMatch(/holds_expired_total 1/);
  });
});

describe('counters', () => {
  it('of windows long past are forgotten', async () => {
    const { card } = await service.funded('1000');
    await owner.query(`INSERT INTO limit_counter VALUES ($1, 'day', now() - interval '500 days', 0, 0)`, [card]);
    const worker = service.runtime.parts.workers!.find(({ name: which }) => which === 'purge-counters')!;
    expect(await worker.run(new AbortController().signal)).toBe(false);
    expect((await owner.query('SELECT 1 FROM limit_counter WHERE card_id = $1', [card])).rowCount).toBe(0);
  });
});

describe('reconciliation', () => {
  let account: string;
  let card: string;
  let id: string;
  let capture: string;
  beforeAll(async () => {
    const ledgerAccountId = randomUUID();
    account = await service.openAccount('1000', 'USD', { ledgerAccountId });
    const added = await service.addCard(account);
    card = added.id;
    id = await service.approved(added.token, '100');
    capture = (await service.act(id, 'captures', { amount: usd('30') })).body.id;
    await service.act(id, 'increments', { amount: usd('5') });
    await service.act(id, 'reversals', { amount: usd('20') });
    await owner.query('SELECT ledger_fact($1, $2, $3, $4, $5, $6)', [
      [ledgerAccountId],
      ['-30'],
      [1],
      ['30'],
      capture,
      't1',
    ]);
  });

  it('finds nothing wrong, exit code 0', async () => {
    const { code, output } = await command('reconcile');
    expect(output.checks.filter(({ violations }: any) => violations > 0)).toEqual([]);
    expect({ code, ok: output.ok, checks: output.checks.length }).toEqual({ code: 0, ok: true, checks: 10 });
  });

  it.each<[string, string, () => (readonly [string, ...unknown[]])[]]>([
    [
      'A1',
      'an amount',
      () => [['UPDATE auth_state SET captured = captured + 1, held = held - 1 WHERE auth_id = $1', id]],
    ],
    ['A1', 'a status', () => [[`UPDATE auth_state SET status = 'CAPTURED' WHERE auth_id = $1`, id]]],
    ['A1', 'a gap', () => [['DELETE FROM auth_event WHERE auth_id = $1 AND seq = 2', id]]],
    ['A2', 'a hold', () => [['UPDATE spend_account SET held = held + 1 WHERE id = $1', account]]],
    ['A3', 'what is unposted', () => [['UPDATE spend_account SET unposted = unposted + 1 WHERE id = $1', account]]],
    ['A4', 'a mark', () => [['UPDATE spend_account SET overdrawn = true WHERE id = $1', account]]],
    [
      'A5',
      'an amount',
      () => [[`UPDATE limit_counter SET amount = amount + 1 WHERE card_id = $1 AND "window" = 'day'`, card]],
    ],
    [
      'A5',
      'a count',
      () => [[`UPDATE limit_counter SET count = count + 1 WHERE card_id = $1 AND "window" = 'hour'`, card]],
    ],
    ['A6', 'a decision', () => [['UPDATE "authorization" SET amount = amount + 1 WHERE id = $1', id]]],
    ['A8', 'too much captured', () => [['UPDATE auth_state SET captured = 500, held = 0 WHERE auth_id = $1', id]]],
    ['A9', 'a posting', () => [['UPDATE capture_posting SET posted_amount = 29 WHERE event_id = $1', capture]]],
  ])('finds a breach of %s: %s', async (check, _what, changes) => {
    const { code, output, metrics } = await tampered(changes());
    const found = output.checks.find((entry: any) => entry.check === check);
    expect(found.violations).toBe(1);
    expect(found.samples.join()).toMatch(/[0-9a-f-]{36}/);
    expect({ code, ok: output.ok }).toEqual({ code: 1, ok: false });
    expect(metrics).toContain(`reconcile_violations{check="${check}"} 1`);
    expect((await command('reconcile')).code).toBe(0);
  });

  it('finds keys that lead nowhere and events that nobody hears; the worker fails', async () => {
    await owner.query(
      `INSERT INTO idempotency (client_id, key, fingerprint, status, auth_id) VALUES ('a', 'lost', '\\x00', 201, $1)`,
      [randomUUID()],
    );
    await owner.query(`UPDATE outbox SET created_at = now() - interval '2 minutes'`);
    const { code, output } = await command('reconcile');
    const wrong = output.checks.filter(({ violations }: any) => violations > 0).map((entry: any) => entry.check);
    expect({ code, wrong }).toEqual({ code: 1, wrong: ['A7', 'A10'] });
    const worker = service.runtime.parts.workers!.find(({ name: which }) => which === 'reconcile')!;
    await expect(worker.run(new AbortController().signal)).rejects.toThrow(/A7: 1, A10: \d+/);
    await owner.query(`DELETE FROM idempotency WHERE key = 'lost'`);
  });
});

describe('what is told', () => {
  it('keeps the schemas of the contract, in the order of the authorization, without the token', async () => {
    const { token } = await service.funded('1000');
    const id = await service.approved(token, '100');
    await service.act(id, 'increments', { amount: usd('5') });
    await service.act(id, 'increments', { amount: usd('5000') });
    await service.act(id, 'captures', { amount: usd('10'), reference: 'r' });
    await service.act(id, 'reversals', { amount: usd('20') });
    await service.act(id, 'expire');
    await service.act(id, 'captures', { amount: usd('10') });
    const advice = await service.approved(token, '2000', { kind: 'advice' });
    const declined = (await service.authorize('tok_nobody_has_this', '1')).body.id;
    const { rows } = await owner.query(
      'SELECT type, payload, topic, aggregate_id FROM outbox WHERE aggregate_id = ANY ($1) ORDER BY id',
      [[id, advice, declined]],
    );
    expect(rows.map(({ type, payload }) => `${type} ${payload.kind}`)).toEqual([
      'authorization.approved.v1 AUTHORIZED',
      'authorization.approved.v1 INCREMENTED',
      'authorization.declined.v1 INCREMENT_DECLINED',
      'authorization.captured.v1 CAPTURED',
      'authorization.reversed.v1 REVERSED',
      'authorization.expired.v1 EXPIRED',
      'authorization.captured.v1 FORCE_POSTED',
      'authorization.approved.v1 ADVICE',
      'authorization.declined.v1 DECLINED',
    ]);
    const schemas = new EventSchemas();
    for (const { type, payload, topic, aggregate_id } of rows) {
      const event: CloudEvent = {
        specversion: '1.0',
        id: 'x',
        source: '/services/x',
        type,
        time: payload.createdAt,
        datacontenttype: 'application/json',
        subject: aggregate_id,
        data: payload,
      };
      expect(schemas.faults(event)).toEqual([]);
      expect(topic).toBe('authorizations');
      expect(JSON.stringify(payload)).not.toContain('tok_');
    }
    const captured = (await service.get(`/v1/authorizations/${id}/events`)).body.items.find(
      (event: any) => event.kind === 'CAPTURED',
    );
    expect(rows[3].payload).toMatchObject({ eventId: captured.id, reference: 'r', overdrawn: false, final: false });
  });
});
