import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { holdsCardNumber } from '../src/authorization/cards.ts';
import { SHOP, startHarness, usd, type Harness } from './support/harness.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

const match = (etag: string) => ({ 'if-match': etag });

describe('spend accounts', () => {
  it('are opened once per key and once per ledger account', async () => {
    const ledgerAccountId = randomUUID();
    const key = { 'idempotency-key': randomUUID() };
    const body = {
      currency: 'JPY',
      creditLimit: '500',
      ledgerAccountId,
      ledgerSide: 'debit',
      metadata: { plan: 'gold' },
    };
    const opened = await service.post('/v1/spend-accounts', body, key);
    expect(opened).toMatchObject({
      status: 201,
      body: {
        currency: 'JPY',
        exponent: 0,
        balance: '0',
        held: '0',
        unposted: '0',
        creditLimit: '500',
        openToBuy: '500',
        version: 1,
      },
    });
    expect(opened.headers.location).toBe(`/v1/spend-accounts/${opened.body.id}`);
    expect(await service.post('/v1/spend-accounts', body, key)).toMatchObject({ status: 200, body: opened.body });
    expect(await service.post('/v1/spend-accounts', body)).toMatchObject({
      status: 409,
      body: { code: 'already-exists', errors: [{ pointer: '/ledgerAccountId' }] },
    });
    expect((await service.get(`/v1/spend-accounts/${opened.body.id}`)).headers.etag).toBe('"1"');
    expect((await service.get(`/v1/spend-accounts/${randomUUID()}`)).status).toBe(404);
  });

  it('get another credit limit, by version', async () => {
    const { account, token } = await service.funded('100');
    await service.approved(token, '80');
    const path = `/v1/spend-accounts/${account}/credit-limit`;
    expect((await service.put(path, { creditLimit: '50' })).body.code).toBe('precondition-required');
    expect((await service.put(path, { creditLimit: '50' }, match('"7"'))).body.code).toBe('precondition-failed');
    const lower = await service.put(path, { creditLimit: '50' }, match('"1"'));
    expect(lower).toMatchObject({ status: 200, body: { openToBuy: '-30', overdrawn: true, version: 2 } });
    expect(lower.headers.etag).toBe('"2"');
    expect((await service.authorize(token, '1')).body.reasonCode).toBe('51');
    expect((await service.put(path, { creditLimit: '90' }, match('*'))).body).toMatchObject({
      openToBuy: '10',
      overdrawn: false,
    });
    expect(
      (await service.put(`/v1/spend-accounts/${randomUUID()}/credit-limit`, { creditLimit: '1' }, match('*'))).status,
    ).toBe(404);
  });
});

describe('cards', () => {
  it('are known by token, once', async () => {
    const account = await service.openAccount('100');
    const body = { token: `tok_${randomUUID()}`, spendAccountId: account, expiresOn: '2030-06-30' };
    const added = await service.post('/v1/cards', body);
    expect(added).toMatchObject({
      status: 201,
      body: { status: 'active', currency: 'USD', ruleSetId: 'default', limits: {}, version: 1 },
    });
    expect((await service.get(`/v1/cards/${added.body.id}`)).body).toEqual(added.body);
    expect(await service.post('/v1/cards', body)).toMatchObject({
      status: 409,
      body: { errors: [{ pointer: '/token' }] },
    });
    expect((await service.get(`/v1/cards/${randomUUID()}`)).status).toBe(404);
  });

  it('belong to an account and a rule set that fit', async () => {
    const account = await service.openAccount('100');
    const card = (more: object) =>
      service.post('/v1/cards', {
        token: `tok_${randomUUID()}`,
        spendAccountId: account,
        expiresOn: '2030-06-30',
        ...more,
      });
    expect((await card({ spendAccountId: randomUUID() })).body.code).toBe('account-unknown');
    expect((await card({ ruleSetId: 'nobody-wrote-this' })).body.code).toBe('rule-set-unknown');
    const euros = await service.ruleSet({ currency: 'EUR', limits: { perDay: '1' } });
    expect((await card({ ruleSetId: euros })).body).toMatchObject({
      code: 'currency-mismatch',
      errors: [{ pointer: '/ruleSetId' }],
    });
    expect((await card({ expiresOn: '2030-02-30' })).body.errors[0].pointer).toBe('/expiresOn');
  });

  it('never take a card number for a token', async () => {
    const account = await service.openAccount('100');
    for (const token of ['4111111111111111', 'tok_4111111111111111', '4111-1111-1111-1111', 'pan_5500005555555559x']) {
      const answer = await service.post('/v1/cards', { token, spendAccountId: account, expiresOn: '2030-06-30' });
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: '/token' }] } });
    }
    // Visa, Mastercard and American Express test numbers; one digit changed; tokens.
    expect(['4111111111111111', '5500005555555559', '378282246310005'].map(holdsCardNumber)).toEqual([
      true,
      true,
      true,
    ]);
    expect(['4111111111111112', '411111', `tok_${randomUUID()}`].map(holdsCardNumber)).toEqual([false, false, false]);
  });

  it('are frozen, unfrozen and closed for good', async () => {
    const { card } = await service.funded('100');
    const set = (status: string, key = randomUUID()) =>
      service.post(`/v1/cards/${card}/status`, { status, reason: 'because' }, { 'idempotency-key': key });
    const key = randomUUID();
    expect((await set('frozen', key)).body).toMatchObject({ status: 'frozen', version: 2 });
    expect(await set('frozen', key)).toMatchObject({ status: 200, body: { version: 2 } });
    expect((await set('closed')).body.status).toBe('closed');
    expect((await set('active')).body.code).toBe('card-closed');
    const closed = await service.put(`/v1/cards/${card}/limits`, {}, match('*'));
    expect(closed).toMatchObject({ status: 409, body: { code: 'card-closed' } });
    expect((await service.post(`/v1/cards/${randomUUID()}/status`, { status: 'frozen', reason: 'x' })).status).toBe(
      404,
    );
  });

  it('get other limits, by version, and the next decision knows', async () => {
    const { card, token } = await service.funded('1000');
    await service.approved(token, '50');
    const path = `/v1/cards/${card}/limits`;
    expect(await service.put(path, { perDay: '60' })).toMatchObject({ status: 428 });
    const set = await service.put(path, { perDay: '60' }, match('"1"'));
    expect(set).toMatchObject({ status: 200, body: { limits: { perDay: '60' }, version: 2 } });
    expect(set.headers.etag).toBe('"2"');
    expect((await service.put(path, {}, match('"1"'))).status).toBe(412);
    expect((await service.authorize(token, '11')).body).toMatchObject({ reasonCode: '61', rule: 'card.limits.perDay' });
    for (const [name, headers] of [
      ['If-Match', match('2')],
      ['If-None-Match', { 'if-match': '"2"', 'if-none-match': '*' }],
      ['If-None-Match', { 'if-none-match': '"2"' }],
      ['If-None-Match', { 'if-none-match': '*' }],
    ] as const) {
      const answer = await service.put(path, {}, headers as Record<string, string>);
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: `#/header/${name}` }] } });
    }
    expect((await service.put(`/v1/cards/${randomUUID()}/limits`, {}, match('*'))).status).toBe(404);
  });
});

describe('rule sets', () => {
  it('keep their versions, and decide by the latest active one', async () => {
    const id = await service.ruleSet({ mcc: { deny: ['7995'] } });
    const { token } = await service.funded('1000', { ruleSetId: id });
    const bet = { merchant: { mcc: '7995', country: 'MX' } };
    expect((await service.authorize(token, '1', bet)).body).toMatchObject({
      reasonCode: '57',
      ruleSet: { id, version: 1 },
    });
    const next = await service.put(`/v1/rule-sets/${id}`, { body: {} }, match('"1"'));
    expect(next).toMatchObject({
      status: 200,
      body: { version: 2, mode: 'active', activeVersion: 2, shadowVersion: null },
    });
    expect((await service.authorize(token, '1', bet)).body).toMatchObject({
      reasonCode: '00',
      ruleSet: { version: 2 },
    });
    expect((await service.get(`/v1/rule-sets/${id}/versions/1`)).body.body).toEqual({ mcc: { deny: ['7995'] } });
    expect((await service.get(`/v1/rule-sets/${id}/versions/3`)).status).toBe(404);
    expect((await service.get('/v1/rule-sets/nobody-wrote-this')).status).toBe(404);
  });

  it('are written by who knows the latest version', async () => {
    const id = await service.ruleSet({});
    const path = `/v1/rule-sets/${id}`;
    expect((await service.put(path, { body: {} })).status).toBe(428);
    expect((await service.put(path, { body: {} }, { 'if-none-match': '*' })).status).toBe(412);
    expect((await service.put(path, { body: {} }, match('"9"'))).status).toBe(412);
    expect((await service.put('/v1/rule-sets/not-there-yet', { body: {} }, match('*'))).body.code).toBe(
      'precondition-failed',
    );
    const both = await Promise.all([1, 2].map(() => service.put(path, { body: {} }, match('"1"'))));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  it('begin when they are told to', async () => {
    const id = await service.ruleSet({}, { activeFrom: '2099-01-01T00:00:00Z' });
    expect((await service.get(`/v1/rule-sets/${id}`)).body).toMatchObject({ activeVersion: null });
    const account = await service.openAccount('10');
    const answer = await service.post('/v1/cards', {
      token: `tok_${randomUUID()}`,
      spendAccountId: account,
      expiresOn: '2030-01-01',
      ruleSetId: id,
    });
    expect(answer.body.code).toBe('rule-set-unknown');
  });

  it('must make sense', async () => {
    const put = (body: object, more = {}) =>
      service.put(`/v1/rule-sets/rules-${randomUUID()}`, { body, ...more }, { 'if-none-match': '*' });
    for (const [body, pointer] of [
      [{ limits: { perDay: '1' } }, '/body/currency'],
      [{ risk: { declineFrom: 50, unavailableUpTo: '1' } }, '/body/currency'],
      [{ overCapture: [{ mccs: ['5541'], upTo: '1' }] }, '/body/currency'],
      [{ currency: 'XYZ' }, '/body/currency'],
      [{ mcc: { deny: ['5999-5000'] } }, '/body/mcc/deny/0'],
      [{ holds: [{ mccs: ['1000', '2000-1000'], days: 1 }] }, '/body/holds/0/mccs/1'],
      [{ limits: { perDay: '0' }, currency: 'USD' }, '/body/limits/perDay'],
      [{ limit: {} }, '/body/limit'],
    ] as const) {
      expect(await put(body)).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
    }
    const shadow = await put({}, { mode: 'shadow', activeFrom: '2030-01-01T00:00:00Z' });
    expect(shadow.body.errors[0].pointer).toBe('/activeFrom');
    expect((await put({ limits: { countPerHour: 3 } })).status).toBe(200);
  });

  it('in shadow are evaluated on the same facts and never decide', async () => {
    const id = await service.ruleSet({ mcc: { deny: ['7995'] } });
    const { token } = await service.funded('1000', { ruleSetId: id });
    const candidate = { currency: 'USD', limits: { perTransaction: '100' } };
    const put = await service.put(`/v1/rule-sets/${id}`, { mode: 'shadow', body: candidate }, match('"1"'));
    expect(put.body).toMatchObject({ version: 2, activeVersion: 1, shadowVersion: 2 });
    const same = await service.authorize(token, '50');
    const stricter = await service.authorize(token, '101');
    const looser = await service.authorize(token, '50', { merchant: { mcc: '7995', country: 'MX' } });
    expect([same, stricter, looser].map(({ body }) => body.reasonCode)).toEqual(['00', '00', '57']);
    const { body } = await service.get(`/v1/rule-sets/${id}/shadow`);
    expect(body).toMatchObject({ version: 2, decisions: 3, same: 1, wouldDecline: 1, wouldApprove: 1 });
    expect(body.differences).toMatchObject([
      {
        authorizationId: looser.body.id,
        decision: 'DECLINED',
        shadowDecision: 'APPROVED',
        shadowReasonCode: '00',
        rule: null,
      },
      { authorizationId: stricter.body.id, shadowReasonCode: '61', rule: 'ruleSet.limits.perTransaction' },
    ]);
    await service.put(`/v1/rule-sets/${id}`, { body: candidate }, match('"2"'));
    expect((await service.authorize(token, '101')).body).toMatchObject({ reasonCode: '61', ruleSet: { version: 3 } });
    expect((await service.get(`/v1/rule-sets/${id}/shadow`)).status).toBe(404);
  });
});

describe('bad input', () => {
  const NASTY = [
    `'; DROP TABLE card; --`,
    '" OR 1=1 --',
    '${7*7}{{7*7}}<%= 7*7 %>#{7*7}',
    '<script>alert(1)</script>',
    '../../etc/passwd',
    '\\x00\\u0000 {"a":1}',
    '%s%n $1 \\',
    '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ‮ \u2028',
  ];

  it('amounts that are none name their field', async () => {
    const { account, token } = await service.funded('100');
    const id = await service.approved(token, '10');
    for (const value of [
      '0',
      '-1',
      '1.5',
      '1e3',
      '01',
      '',
      ' 1',
      '9223372036854775808',
      '1000000000000000000',
      'NaN',
      9007199254740993,
      10,
      null,
    ]) {
      const amount = { value, currency: 'USD' };
      for (const answer of [
        await service.authorize(token, '1', { amount }),
        await service.act(id, 'captures', { amount }),
        await service.act(id, 'increments', { amount }),
        await service.act(id, 'reversals', { amount }),
        await service.post('/v1/reversals', { networkRef: 'x', amount }),
      ]) {
        expect(answer).toMatchObject({
          status: 400,
          body: { code: 'validation-failed', errors: [{ pointer: '/amount/value' }] },
        });
      }
    }
    expect((await service.account(account)).held).toBe('10');
    // Exactly 2^53 + 1 is not rounded.
    const large = await service.funded('99999999999999999');
    const { body } = await service.authorize(large.token, '9007199254740993');
    expect(body).toMatchObject({ decision: 'APPROVED', held: '9007199254740993' });
    expect((await service.account(large.account)).openToBuy).toBe('90992800745259006');
  });

  it('currencies that are none name their field', async () => {
    const { token } = await service.funded('100');
    for (const currency of ['usd', 'US', 'USDX', 'XXX', 'ZZZ', '', "U'D", 840]) {
      const answer = await service.authorize(token, '1', { amount: { value: '1', currency } });
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: '/amount/currency' }] } });
    }
    expect((await service.post('/v1/spend-accounts', { currency: 'ZZZ' })).body.errors[0].pointer).toBe('/currency');
  });

  it('texts are kept as they are where any text is allowed', async () => {
    const { token } = await service.funded('100000');
    for (const text of NASTY) {
      const kept = text.replace(/\u0000/g, '');
      const merchant = { ...SHOP, name: kept, id: kept.slice(0, 64) };
      const { status, body } = await service.authorize(token, '1', { merchant, metadata: { note: kept } });
      expect(status).toBe(201);
      expect(body).toMatchObject({ merchant, metadata: { note: kept } });
      const captured = await service.act(body.id, 'captures', { amount: usd('1'), reference: kept });
      expect(captured.body.reference).toBe(kept);
    }
  });

  it('texts are refused where they have a form', async () => {
    const { token } = await service.funded('100');
    for (const text of [...NASTY, 'nul\u0000', 'line\nbreak']) {
      for (const [more, pointer] of [
        [{ networkRef: text }, '/networkRef'],
        [{ cardToken: text }, '/cardToken'],
        [{ kind: text }, '/kind'],
        [{ channel: text }, '/channel'],
        [{ merchant: { ...SHOP, mcc: text } }, '/merchant/mcc'],
        [{ merchant: { ...SHOP, country: text } }, '/merchant/country'],
        [{ [text]: 1 }, `/${text.replaceAll('~', '~0').replaceAll('/', '~1')}`],
      ] as const) {
        const answer = await service.authorize(token, '1', more);
        expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
      }
      for (const path of ['authorizations', 'cards', 'spend-accounts', 'rule-sets']) {
        expect((await service.get(`/v1/${path}/${encodeURIComponent(text)}`)).status).toBeGreaterThanOrEqual(400);
      }
    }
    for (const text of ['nul\u0000', 'line\nbreak']) {
      const answer = await service.authorize(token, '1', { merchant: { ...SHOP, name: text } });
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: '/merchant/name' }] } });
    }
  });
});
