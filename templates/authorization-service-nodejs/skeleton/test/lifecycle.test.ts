import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startHarness, usd, type Harness } from './support/harness.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const RESTAURANT = { mcc: '5812', country: 'MX' };

async function owner<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

describe('captures', () => {
  it('in parts, the last of which releases the rest', async () => {
    const { account, token } = await service.funded('1000');
    const id = await service.approved(token, '100');
    expect((await service.act(id, 'captures', { amount: usd('30'), reference: 'parcel 1' })).body).toMatchObject({
      seq: 2,
      kind: 'CAPTURED',
      reference: 'parcel 1',
      final: false,
      overdrawn: false,
      authorization: { status: 'PARTIALLY_CAPTURED', captured: '30', held: '70' },
    });
    expect(await service.account(account)).toMatchObject({ held: '70', unposted: '30', openToBuy: '900' });
    expect((await service.act(id, 'captures', { amount: usd('50'), final: true })).body).toMatchObject({
      final: true,
      authorization: { status: 'CAPTURED', captured: '80', released: '20', held: '0', version: 3 },
    });
    expect(await service.account(account)).toMatchObject({ held: '0', unposted: '80', openToBuy: '920' });
  });

  it('that come after the final one are posted without a hold, up to what was authorized', async () => {
    const { account, token } = await service.funded('1000');
    const id = await service.approved(token, '100');
    await service.act(id, 'captures', { amount: usd('50'), final: true });
    expect((await service.act(id, 'captures', { amount: usd('40') })).body).toMatchObject({
      kind: 'FORCE_POSTED',
      authorization: { status: 'CAPTURED', captured: '90', released: '50', held: '0' },
    });
    expect(await service.act(id, 'captures', { amount: usd('11') })).toMatchObject({
      status: 422,
      body: { code: 'capture-exceeds-authorization', errors: [{ pointer: '/amount' }] },
    });
    expect(await service.account(account)).toMatchObject({ held: '0', unposted: '90', openToBuy: '910' });
  });

  it('may exceed the authorization by the tolerance of the category, and not more', async () => {
    const { token } = await service.funded('1000');
    const id = await service.approved(token, '105', { merchant: RESTAURANT });
    // floor(105 * 1.2) = 126
    expect((await service.act(id, 'captures', { amount: usd('127') })).status).toBe(422);
    expect((await service.act(id, 'captures', { amount: usd('126') })).body).toMatchObject({
      kind: 'CAPTURED',
      authorization: { status: 'CAPTURED', captured: '126', held: '0', released: '0' },
    });
    const shop = await service.approved(token, '100');
    expect((await service.act(shop, 'captures', { amount: usd('101') })).status).toBe(422);
    const ruleSetId = await service.ruleSet({
      currency: 'USD',
      overCapture: [{ mccs: ['5541-5542'], upTo: '15000' }],
    });
    const fuel = await service.funded('100', { ruleSetId });
    const pump = await service.approved(fuel.token, '100', { merchant: { mcc: '5542', country: 'MX' } });
    const filled = await service.act(pump, 'captures', { amount: usd('6000') });
    expect(filled.body).toMatchObject({ kind: 'CAPTURED', overdrawn: true, authorization: { captured: '6000' } });
    expect(await service.account(fuel.account)).toMatchObject({ openToBuy: '-5900', overdrawn: true });
  });

  it('after expiry are posted anyway and flag the overdraft', async () => {
    const { account, token } = await service.funded('100');
    const id = await service.approved(token, '100');
    expect((await service.act(id, 'expire')).body).toMatchObject({
      kind: 'EXPIRED',
      amount: usd('100'),
      authorization: { status: 'EXPIRED', released: '100', held: '0' },
    });
    await service.approved(token, '70');
    expect((await service.act(id, 'captures', { amount: usd('60') })).body).toMatchObject({
      kind: 'FORCE_POSTED',
      overdrawn: true,
      authorization: { status: 'CAPTURED', captured: '60' },
    });
    expect(await service.account(account)).toMatchObject({
      held: '70',
      unposted: '60',
      openToBuy: '-30',
      overdrawn: true,
    });
  });
});

describe('reversals', () => {
  it('in full and in part, never beyond what is held', async () => {
    const { account, token } = await service.funded('100');
    const id = await service.approved(token, '100');
    await service.act(id, 'captures', { amount: usd('30') });
    expect((await service.act(id, 'reversals', { amount: usd('20') })).body.authorization).toMatchObject({
      status: 'PARTIALLY_CAPTURED',
      held: '50',
      reversed: '20',
    });
    expect(await service.act(id, 'reversals', { amount: usd('51') })).toMatchObject({
      status: 409,
      body: { code: 'already-reversed', errors: [{ pointer: '/amount' }] },
    });
    expect((await service.act(id, 'reversals')).body).toMatchObject({
      amount: usd('50'),
      authorization: { status: 'CAPTURED' },
    });
    expect((await service.act(id, 'reversals')).body.code).toBe('already-reversed');
    expect(await service.account(account)).toMatchObject({ held: '0', unposted: '30', openToBuy: '70' });
  });

  it('end an authorization for captures and increments', async () => {
    const { token } = await service.funded('100');
    const id = await service.approved(token, '100');
    await service.act(id, 'reversals');
    for (const operation of ['captures', 'increments']) {
      expect(await service.act(id, operation, { amount: usd('1') })).toMatchObject({
        status: 409,
        body: { code: 'authorization-not-open' },
      });
    }
    expect((await service.act(id, 'expire')).body.code).toBe('authorization-not-open');
  });

  it('give back to the limits what was approved first', async () => {
    const { token } = await service.funded('1000', { limits: { perDay: '100' } });
    const id = await service.approved(token, '100');
    expect((await service.authorize(token, '1')).body.reasonCode).toBe('61');
    await service.act(id, 'reversals', { amount: usd('40') });
    expect((await service.authorize(token, '41')).body.reasonCode).toBe('61');
    expect((await service.authorize(token, '40')).body.reasonCode).toBe('00');
  });
});

describe('increments', () => {
  it('are decided on funds and limits, and a decline leaves the hold', async () => {
    const { account, token } = await service.funded('100');
    const id = await service.approved(token, '60');
    expect((await service.act(id, 'increments', { amount: usd('30') })).body).toMatchObject({
      kind: 'INCREMENTED',
      decision: 'APPROVED',
      authorization: { status: 'AUTHORIZED', authorized: '90', held: '90' },
    });
    expect(await service.act(id, 'increments', { amount: usd('11') })).toMatchObject({
      status: 201,
      body: {
        kind: 'INCREMENT_DECLINED',
        decision: 'DECLINED',
        reasonCode: '51',
        authorization: { held: '90', version: 3 },
      },
    });
    expect((await service.act(id, 'captures', { amount: usd('90') })).body.authorization.status).toBe('CAPTURED');
    expect((await service.account(account)).openToBuy).toBe('10');
  });

  it('keep to the limit per transaction in sum, and to the card as it is now', async () => {
    const { card, token } = await service.funded('1000', { limits: { perTransaction: '100', perMonth: '150' } });
    const id = await service.approved(token, '80');
    expect((await service.act(id, 'increments', { amount: usd('21') })).body).toMatchObject({
      reasonCode: '61',
      rule: 'card.limits.perTransaction',
    });
    await service.approved(token, '60');
    expect((await service.act(id, 'increments', { amount: usd('11') })).body.rule).toBe('card.limits.perMonth');
    await service.post(`/v1/cards/${card}/status`, { status: 'frozen', reason: 'lost' });
    expect((await service.act(id, 'increments', { amount: usd('1') })).body.reasonCode).toBe('62');
  });
});

describe('every message', () => {
  it('is carried out once under its key, and answered alike', async () => {
    const { account, token } = await service.funded('1000');
    const id = await service.approved(token, '100');
    for (const [operation, body] of [
      ['increments', { amount: usd('10') }],
      ['captures', { amount: usd('20') }],
      ['reversals', { amount: usd('30') }],
      ['expire', {}],
    ] as const) {
      const key = { 'idempotency-key': randomUUID() };
      const answers = await Promise.all(Array.from({ length: 4 }, () => service.act(id, operation, body, key)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
      expect(new Set(answers.map(answer => JSON.stringify(answer.body))).size).toBe(1);
      expect((await service.act(id, operation, { ...body, reference: 'x' }, key)).body.code).toBe(
        'idempotency-mismatch',
      );
    }
    expect(await service.account(account)).toMatchObject({ held: '0', unposted: '20' });
    const events = (await service.get(`/v1/authorizations/${id}/events`)).body.items;
    expect(events.map((event: any) => event.kind)).toEqual([
      'AUTHORIZED',
      'INCREMENTED',
      'CAPTURED',
      'REVERSED',
      'EXPIRED',
    ]);
  });

  it('is carried out once even when it comes again after its key was purged', async () => {
    const { account, token } = await service.funded('1000');
    const networkRef = `ref-${randomUUID()}`;
    const message = { networkRef, cardToken: token, amount: usd('100'), merchant: RESTAURANT };
    const keys = [randomUUID(), randomUUID()].map(key => ({ 'idempotency-key': key }));
    const first = await service.post('/v1/authorizations', message, keys[0]);
    const captured = await service.act(first.body.id, 'captures', { amount: usd('20') }, keys[1]);
    await owner(async client => {
      await client.query(`UPDATE idempotency SET created_at = now() - interval '100 hours' WHERE auth_id = $1`, [
        first.body.id,
      ]);
      const { rows } = await client.query('SELECT idempotency_purge(72, 1000) AS purged');
      expect(rows[0].purged).toBe(2);
    });
    expect(await service.post('/v1/authorizations', message, keys[0])).toMatchObject({ status: 200, body: first.body });
    const again = await service.act(first.body.id, 'captures', { amount: usd('20') }, keys[1]);
    expect(again).toMatchObject({ status: 200, body: captured.body });
    expect((await service.act(first.body.id, 'captures', { amount: usd('20') }, keys[1])).status).toBe(200);
    expect((await service.act(first.body.id, 'captures', { amount: usd('21') }, keys[1])).status).toBe(422);
    expect(await service.account(account)).toMatchObject({ held: '80', unposted: '20' });
  });

  it('is refused under a key that is too old to be remembered, unless it still is', async () => {
    const { token } = await service.funded('1000');
    const id = await service.approved(token, '100');
    const uuidv7 = (age: number) => {
      const hex = Math.floor(Date.now() - age * 3_600_000)
        .toString(16)
        .padStart(12, '0');
      return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${randomUUID().slice(24)}`;
    };
    const old = { 'idempotency-key': uuidv7(80) };
    const refused = await service.act(id, 'captures', { amount: usd('1') }, old);
    expect(refused).toMatchObject({ status: 422, body: { code: 'idempotency-key-expired' } });
    for (const hours of [70, -1]) {
      const answer = await service.act(id, 'captures', { amount: usd('1') }, { 'idempotency-key': uuidv7(hours) });
      expect(answer.status).toBe(201);
    }
    await owner(client =>
      client.query(
        `INSERT INTO idempotency (client_id, key, fingerprint, status, auth_id, event_seq)
         SELECT client_id, $1, fingerprint, 201, auth_id, seq FROM auth_event WHERE auth_id = $2 AND seq = 2`,
        [old['idempotency-key'], id],
      ),
    );
    expect((await service.act(id, 'captures', { amount: usd('1') }, old)).status).toBe(200);
  });

  it('must be about an authorization that exists, in its currency', async () => {
    const id = randomUUID();
    for (const operation of ['increments', 'captures', 'reversals', 'expire']) {
      const body = operation === 'expire' ? {} : { amount: usd('1') };
      expect(await service.act(id, operation, body)).toMatchObject({ status: 404, body: { code: 'not-found' } });
    }
    const { token } = await service.funded('100');
    const real = await service.approved(token, '10');
    for (const operation of ['increments', 'captures', 'reversals']) {
      const answer = await service.act(real, operation, { amount: { value: '1', currency: 'EUR' } });
      expect(answer).toMatchObject({ status: 422, body: { code: 'currency-mismatch' } });
    }
  });

  it('about a declined authorization is refused', async () => {
    const { token } = await service.funded('100');
    const { id } = (await service.authorize(token, '101')).body;
    for (const operation of ['increments', 'captures', 'reversals', 'expire']) {
      const answer = await service.act(id, operation, operation === 'expire' ? {} : { amount: usd('1') });
      expect(answer).toMatchObject({ status: 409, body: { code: 'authorization-not-open' } });
    }
  });
});
