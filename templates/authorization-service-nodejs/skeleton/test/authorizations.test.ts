import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ref, SHOP, startHarness, usd, type Harness } from './support/harness.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const key = (value: string) => ({ 'idempotency-key': value });

describe('a decision', () => {
  it('holds what it approves and says why', async () => {
    const { account, card, token } = await service.funded('10000');
    const networkRef = ref();
    const answer = await service.authorize(token, '2500', { networkRef, channel: 'chip', metadata: { order: '7' } });
    expect(answer).toMatchObject({
      status: 201,
      body: {
        networkRef,
        kind: 'request',
        cardId: card,
        spendAccountId: account,
        amount: usd('2500'),
        merchant: SHOP,
        channel: 'chip',
        decision: 'APPROVED',
        reasonCode: '00',
        detail: 'approved',
        rule: null,
        ruleSet: { id: 'default', version: 1 },
        risk: null,
        status: 'AUTHORIZED',
        authorized: '2500',
        held: '2500',
        version: 1,
        overdrawn: false,
        metadata: { order: '7' },
      },
    });
    expect(answer.headers.location).toBe(`/v1/authorizations/${answer.body.id}`);
    expect(answer.body.trace.at(-1)).toEqual({ rule: 'funds', outcome: 'pass', observed: '10000' });
    // Seven days, to the millisecond.
    expect(Date.parse(answer.body.expiresAt) - Date.parse(answer.body.createdAt)).toBe(7 * 86_400_000);
    expect(await service.account(account)).toMatchObject({ held: '2500', unposted: '0', openToBuy: '7500' });
    expect((await service.get(`/v1/authorizations/${answer.body.id}`)).body).toEqual(answer.body);
    const { body } = await service.get(`/v1/authorizations/${answer.body.id}/events`);
    expect(body.items).toMatchObject([
      { seq: 1, kind: 'AUTHORIZED', amount: usd('2500'), authorization: { held: '2500' } },
    ]);
  });

  it('holds 31 days for lodging', async () => {
    const { token } = await service.funded('10000');
    for (const mcc of ['7011', '3501', '3999']) {
      const { body } = await service.authorize(token, '100', { merchant: { mcc, country: 'MX' } });
      expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(31 * 86_400_000);
    }
  });

  it('declines beyond the funds, to the last unit', async () => {
    const { account, token } = await service.funded('100');
    expect((await service.authorize(token, '101')).body).toMatchObject({
      decision: 'DECLINED',
      reasonCode: '51',
      detail: 'insufficient-funds',
      rule: 'funds',
      status: 'DECLINED',
      held: '0',
      expiresAt: null,
    });
    expect((await service.authorize(token, '100')).body.decision).toBe('APPROVED');
    expect((await service.authorize(token, '1')).body.reasonCode).toBe('51');
    expect((await service.account(account)).openToBuy).toBe('0');
  });

  it('declines a card that is unknown, frozen, closed or expired', async () => {
    const unknown = await service.authorize('tok_nobody_has_this', '1');
    expect(unknown.body).toMatchObject({ reasonCode: '14', detail: 'card-unknown', cardId: null, ruleSet: null });
    const { card, token } = await service.funded('100');
    const set = (status: string) => service.post(`/v1/cards/${card}/status`, { status, reason: 'test' });
    await set('frozen');
    expect((await service.authorize(token, '1')).body).toMatchObject({ reasonCode: '62', detail: 'card-frozen' });
    await set('active');
    expect((await service.authorize(token, '1')).body).toMatchObject({ reasonCode: '00' });
    await set('closed');
    expect((await service.authorize(token, '1')).body).toMatchObject({ reasonCode: '14', detail: 'card-closed' });
    const old = await service.funded('100', { expiresOn: '2020-02-29' });
    expect((await service.authorize(old.token, '1')).body).toMatchObject({ reasonCode: '54', rule: 'card.expiry' });
  });

  it('declines another currency', async () => {
    const { token } = await service.funded('100');
    const { body } = await service.authorize(token, '1', { amount: { value: '1', currency: 'JPY' } });
    expect(body).toMatchObject({ reasonCode: '57', detail: 'currency-not-supported' });
  });

  it('takes an advice as a fact, beyond funds and limits', async () => {
    const { account, token } = await service.funded('100', { limits: { perTransaction: '10' } });
    const { body } = await service.authorize(token, '150', { kind: 'advice' });
    expect(body).toMatchObject({ decision: 'APPROVED', kind: 'advice', overdrawn: true, held: '150' });
    expect(await service.account(account)).toMatchObject({ openToBuy: '-50', overdrawn: true });
    expect((await service.authorize(token, '1')).body.reasonCode).toBe('51');
    const unknown = await service.authorize('tok_nobody_has_this', '1', { kind: 'advice' });
    expect(unknown.body).toMatchObject({ decision: 'DECLINED', reasonCode: '14' });
  });
});

describe('the same message', () => {
  it('is answered alike under the same key and under another one', async () => {
    const { account, token } = await service.funded('100');
    const message = { networkRef: ref(), cardToken: token, amount: usd('60'), merchant: SHOP };
    const k = randomUUID();
    const first = await service.post('/v1/authorizations', message, key(k));
    await service.act(first.body.id, 'captures', { amount: usd('20') });
    for (const again of [k, randomUUID()]) {
      const answer = await service.post('/v1/authorizations', message, key(again));
      expect(answer.status).toBe(200);
      expect(answer.headers['idempotent-replayed']).toBe('true');
      expect(answer.body).toEqual(first.body);
    }
    expect((await service.account(account)).held).toBe('40');
  });

  it('is refused with another body, under its key or its reference', async () => {
    const { token } = await service.funded('100');
    const message = { networkRef: ref(), cardToken: token, amount: usd('60'), merchant: SHOP };
    const k = randomUUID();
    await service.post('/v1/authorizations', message, key(k));
    const other = { ...message, amount: usd('61') };
    expect(await service.post('/v1/authorizations', other, key(k))).toMatchObject({
      status: 422,
      body: { code: 'idempotency-mismatch' },
    });
    const k2 = randomUUID();
    for (const replayed of [undefined, 'true']) {
      const answer = await service.post('/v1/authorizations', other, key(k2));
      expect(answer).toMatchObject({
        status: 422,
        body: { code: 'network-ref-mismatch', errors: [{ pointer: '/networkRef' }] },
      });
      expect(answer.headers['idempotent-replayed']).toBe(replayed);
    }
  });

  it('is decided once when it arrives many times at once', async () => {
    const { account, token } = await service.funded('100');
    const message = { networkRef: ref(), cardToken: token, amount: usd('30'), merchant: SHOP };
    const shared = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        service.post('/v1/authorizations', message, key(i % 2 === 0 ? shared : randomUUID())),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect((await service.account(account)).held).toBe('30');
  });
});

describe('reversal before authorization', () => {
  it('voids the late authorization with 96', async () => {
    const { account, token } = await service.funded('100');
    const networkRef = ref();
    const k = randomUUID();
    const noted = await service.post('/v1/reversals', { networkRef }, key(k));
    expect(noted).toMatchObject({ status: 201, body: { networkRef, outcome: 'recorded', event: null } });
    for (const again of [k, randomUUID()]) {
      expect(await service.post('/v1/reversals', { networkRef }, key(again))).toMatchObject({
        status: 200,
        body: noted.body,
      });
    }
    const late = await service.authorize(token, '10', { networkRef });
    expect(late).toMatchObject({
      status: 201,
      body: { decision: 'DECLINED', reasonCode: '96', detail: 'reversed-before-authorization', rule: 'message.void' },
    });
    expect((await service.account(account)).held).toBe('0');
    expect((await service.authorize(token, '10', { networkRef })).body).toEqual(late.body);
    expect((await service.post('/v1/reversals', { networkRef })).body.outcome).toBe('recorded');
  });

  it('that arrive together end with nothing held', async () => {
    const { account, token } = await service.funded('1000');
    const refs = Array.from({ length: 25 }, () => ref());
    await Promise.all(
      refs.flatMap(networkRef => [
        service.authorize(token, '10', { networkRef }),
        service.post('/v1/reversals', { networkRef }),
      ]),
    );
    expect(await service.account(account)).toMatchObject({ held: '0', openToBuy: '1000' });
  });

  it('that is not committed yet is waited for', async () => {
    const { account, token } = await service.funded('1000');
    const networkRef = ref();
    const owner = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
    await owner.connect();
    await owner.query('BEGIN');
    await owner.query(`SELECT authorization_reverse_ref('other', $1, '\\x00', $2, $3, NULL, NULL, NULL)`, [
      randomUUID(),
      randomUUID(),
      networkRef,
    ]);
    let answered = false;
    const late = service.authorize(token, '10', { networkRef }).finally(() => (answered = true));
    const blocked = 'SELECT 1 FROM pg_stat_activity a WHERE pg_backend_pid() = ANY (pg_blocking_pids(a.pid))';
    while (!answered && (await owner.query(blocked)).rows.length === 0)
      await new Promise(resolve => setImmediate(resolve));
    await owner.query('COMMIT');
    await owner.end();
    expect((await late).body).toMatchObject({ decision: 'DECLINED', reasonCode: '96' });
    expect((await service.account(account)).held).toBe('0');
  });

  it('reverses what is there, by reference', async () => {
    const { account, token } = await service.funded('100');
    const networkRef = ref();
    await service.approved(token, '50', { networkRef });
    const k = randomUUID();
    const part = await service.post('/v1/reversals', { networkRef, amount: usd('20') }, key(k));
    expect(part).toMatchObject({
      status: 201,
      body: {
        outcome: 'reversed',
        event: { kind: 'REVERSED', authorization: { status: 'PARTIALLY_REVERSED', held: '30' } },
      },
    });
    expect(await service.post('/v1/reversals', { networkRef, amount: usd('20') }, key(k))).toMatchObject({
      status: 200,
      body: part.body,
    });
    expect((await service.post('/v1/reversals', { networkRef })).body.event.authorization.status).toBe('REVERSED');
    expect(await service.post('/v1/reversals', { networkRef })).toMatchObject({
      status: 409,
      body: { code: 'already-reversed' },
    });
    expect((await service.account(account)).held).toBe('0');
  });

  it('of a part of nothing is not found, and may be sent again when there is something', async () => {
    const { token } = await service.funded('100');
    const networkRef = ref();
    const k = randomUUID();
    const body = { networkRef, amount: usd('5') };
    expect(await service.post('/v1/reversals', body, key(k))).toMatchObject({
      status: 404,
      body: { code: 'not-found' },
    });
    await service.approved(token, '50', { networkRef });
    expect((await service.post('/v1/reversals', body, key(k))).status).toBe(201);
  });
});

describe('the deadline', () => {
  it('declines with 91 what comes too late, and keeps that answer', async () => {
    const { account, token } = await service.funded('100');
    const networkRef = ref();
    const late = await service.authorize(token, '10', { networkRef }, { 'x-deadline-ms': '0' });
    expect(late).toMatchObject({
      status: 201,
      body: { decision: 'DECLINED', reasonCode: '91', detail: 'deadline-exceeded', rule: 'message.deadline' },
    });
    expect((await service.authorize(token, '10', { networkRef }, { 'x-deadline-ms': '5000' })).body).toEqual(late.body);
    expect((await service.account(account)).held).toBe('0');
    const id = await service.approved(token, '10');
    const increment = await service.act(id, 'increments', { amount: usd('5') }, { 'x-deadline-ms': '0' });
    expect(increment.body).toMatchObject({
      kind: 'INCREMENT_DECLINED',
      reasonCode: '91',
      authorization: { held: '10' },
    });
  });

  it('is a number of milliseconds up to a minute', async () => {
    const { token } = await service.funded('100');
    for (const wrong of ['-1', '1.5', 'soon', '60001', '1e3', '']) {
      const answer = await service.authorize(token, '10', {}, { 'x-deadline-ms': wrong });
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/header/X-Deadline-Ms' }] } });
    }
    expect((await service.authorize(token, '10', {}, { 'x-deadline-ms': '60000' })).body.decision).toBe('APPROVED');
  });
});

describe('lists', () => {
  it('page through the authorizations of an account, newest first', async () => {
    const { account, card, token } = await service.funded('1000');
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.unshift(await service.approved(token, '1'));
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await service.get(`/v1/authorizations?spendAccountId=${account}&limit=2${cursor}`);
      seen.push(...body.items.map((item: any) => item.id));
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');
    expect(seen).toEqual(ids);
    expect((await service.get(`/v1/authorizations?cardId=${card}&limit=1`)).body.items[0].id).toBe(ids[0]);
    expect((await service.get('/v1/authorizations?limit=1')).body.items).toHaveLength(1);
    expect((await service.get('/v1/authorizations?cursor=nonsense')).body.errors[0].pointer).toBe('#/query/cursor');
    expect(await service.get(`/v1/authorizations?cardId=${card}&spendAccountId=${account}`)).toMatchObject({
      status: 400,
      body: { errors: [{ code: 'exclusive' }] },
    });
  });

  it('finds by reference, and says when there is nothing', async () => {
    const { token } = await service.funded('100');
    const networkRef = ref();
    const id = await service.approved(token, '1', { networkRef });
    const { body } = await service.get(`/v1/authorizations?networkRef=${networkRef}`);
    expect(body).toMatchObject({ items: [{ id }], nextCursor: null });
    expect((await service.get(`/v1/authorizations?networkRef=${ref()}`)).body).toEqual({ items: [], nextCursor: null });
    for (const path of [`/v1/authorizations/${randomUUID()}`, `/v1/authorizations/${randomUUID()}/events`]) {
      expect(await service.get(path)).toMatchObject({ status: 404, body: { code: 'not-found' } });
    }
  });
});
