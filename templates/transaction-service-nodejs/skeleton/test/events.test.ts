import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ROOT } from '../scripts/contract.ts';
import { EventSchemas, type CloudEvent } from '../src/platform/events/event.ts';
import { ownDatabase, type OwnDatabase } from './support/database.ts';
import { legs, startHarness, type Harness } from './support/harness.ts';

let database: OwnDatabase;
let service: Harness;
let settlement: string;
beforeAll(async () => {
  database = await ownDatabase('events');
  const first = await startHarness({ DATABASE_URL: database.url });
  settlement = await first.openAccount();
  await first.close();
  service = await startHarness({ DATABASE_URL: database.url, SETTLEMENT_ACCOUNTS: `USD=${settlement}` });
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

describe('authorization.captured.v1', () => {
  const recorded = JSON.parse(
    readFileSync(join(ROOT, 'contracts/events/examples/authorization.captured.v1/partial.json'), 'utf8'),
  ) as CloudEvent;

  function captured(account: string | null, value: string, data: Record<string, unknown> = {}): CloudEvent {
    const authorizationId = randomUUID();
    return {
      ...recorded,
      id: randomUUID(),
      subject: authorizationId,
      data: {
        ...recorded.data,
        authorizationId,
        ledgerAccountId: account,
        amount: { value, currency: 'USD' },
        ...data,
      },
    };
  }

  it('is posted from the account of the card to the settlement account, under the id of the authorization', async () => {
    const { account } = await service.funded('100');
    const event = captured(account, '30');
    const answer = await service.post('/v1/events', event, { 'idempotency-key': '' });
    expect(answer).toMatchObject({ status: 202, body: { id: event.id, outcome: 'processed' } });
    const { items } = (await service.get(`/v1/transactions?externalRef=${event.data.authorizationId}`)).body;
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({
      actor: event.source,
      effectiveAt: event.data.createdAt,
      legs: [
        { accountId: account, direction: 'debit', balanceAfter: '70' },
        { accountId: settlement, direction: 'credit' },
      ],
    });
  });

  it('is posted once, however often and however at once it comes', async () => {
    const { account } = await service.funded('100');
    const event = captured(account, '30');
    const answers = await Promise.all(Array.from({ length: 15 }, () => service.post('/v1/events', event)));
    expect(answers.map(({ status, body }) => `${status} ${body.outcome}`).sort()).toEqual([
      ...Array.from({ length: 14 }, () => '200 duplicate'),
      '202 processed',
    ]);
    expect(await service.balance(account)).toBe('70');
    // Even when the inbox has forgotten it, and the key as well.
    await database.admin.query('DELETE FROM inbox');
    expect((await service.post('/v1/events', event)).status).toBe(202);
    expect(await service.balance(account)).toBe('70');
    await database.admin.query(`UPDATE idempotency SET created_at = now() - interval '80 hours'`);
    await database.admin.query('SELECT idempotency_purge(72, 10000)');
    await database.admin.query('DELETE FROM inbox');
    expect((await service.post('/v1/events', event)).status).toBe(202);
    expect(await service.balance(account)).toBe('70');
  });

  it('is not taken while it is refused, and is posted when the reason is gone', async () => {
    const { account, bank } = await service.funded('10');
    const event = captured(account, '30');
    expect(await service.post('/v1/events', event)).toMatchObject({
      status: 422,
      body: { code: 'insufficient-funds' },
    });
    await service.transfer(bank, account, '50');
    expect((await service.post('/v1/events', event)).status).toBe(202);
    expect(await service.balance(account)).toBe('30');
  });

  it.each([
    ['an account that is not there', () => captured(randomUUID(), '1'), 422, 'account-unknown'],
    ['a wrong amount', () => captured(randomUUID(), '0'), 400, 'validation-failed'],
  ] as const)('with %s is refused', async (_name, event, status, code) => {
    expect(await service.post('/v1/events', event())).toMatchObject({ status, body: { code } });
  });

  it('of a card that is not kept here is acknowledged and ignored', async () => {
    expect(await service.post('/v1/events', captured(null, '1'))).toMatchObject({
      status: 202,
      body: { outcome: 'ignored' },
    });
  });

  it('in a currency without a configured account goes to one of the service, opened once', async () => {
    const accounts = await Promise.all(Array.from({ length: 6 }, () => service.openAccount({ currency: 'EUR' })));
    const events = accounts.map(account => captured(account, '2', { amount: { value: '2', currency: 'EUR' } }));
    const answers = await Promise.all(events.map(event => service.post('/v1/events', event)));
    expect(answers.map(({ status }) => status)).toEqual(accounts.map(() => 202));
    const credited = new Set<string>();
    for (const event of events) {
      const { items } = (await service.get(`/v1/transactions?externalRef=${event.data.authorizationId}`)).body;
      credited.add(items[0].legs[1].accountId);
    }
    expect(credited.size).toBe(1);
    expect(await service.balance([...credited][0]!)).toBe('12');
  });
});

it('everything that is told keeps the schema of its type, in the order in which it happened to an account', async () => {
  await database.admin.query('DELETE FROM outbox');
  const { account, bank } = await service.funded('100');
  const expiresAt = new Date(Date.now() + 60_000).toISOString();
  const { id } = (await service.transfer(account, bank, '10')).body;
  await service.post(`/v1/transactions/${id}/reversal`, { amount: { value: '4', currency: 'USD' } });
  const [held, other] = [
    await service.post('/v1/transactions', { legs: legs(account, bank, '20'), pending: { expiresAt } }),
    await service.post('/v1/transactions', {
      legs: legs(account, bank, '5'),
      pending: { expiresAt },
      externalRef: 'x',
    }),
  ];
  await service.post(`/v1/transactions/${held.body.id}/post`, {});
  await service.post(`/v1/transactions/${other.body.id}/void`, {});

  const { rows } = await database.owner.query('SELECT * FROM outbox ORDER BY id');
  const schemas = new EventSchemas();
  for (const row of rows) {
    const event: CloudEvent = {
      specversion: '1.0',
      id: row.id,
      source: '/services/test',
      type: row.type,
      time: row.created_at.toISOString(),
      datacontenttype: 'application/json',
      subject: row.aggregate_id,
      data: row.payload,
    };
    expect([row.type, schemas.faults(event)]).toEqual([row.type, []]);
  }
  expect(rows.filter(row => row.topic === 'transactions').map(row => row.type)).toEqual([
    'transaction.posted.v1',
    'transaction.posted.v1',
    'transaction.reversed.v1',
    'transaction.pending.v1',
    'transaction.pending.v1',
    'transaction.posted.v1',
    'transaction.voided.v1',
  ]);
  const told = rows.filter(row => row.topic === 'transactions').at(-1);
  const { reversal: _r, resolution: _s, ...read } = (await service.get(`/v1/transactions/${told.payload.id}`)).body;
  expect(told.payload).toEqual(read);
  const balances = rows
    .filter(row => row.aggregate_id === account)
    .map(({ payload }) => [payload.posted, payload.pending, payload.version]);
  expect(balances).toEqual([
    ['100', '0', 1],
    ['90', '0', 2],
    ['94', '0', 3],
    ['94', '20', 3],
    ['94', '25', 3],
    ['74', '5', 4],
    ['74', '0', 4],
  ]);
});
