import { randomUUID } from 'node:crypto';
import { group } from '../checks';
import type { Client } from '../client';
import { equal, includes, must } from '../expect';
import {
  NOWHERE,
  accountIs,
  approved,
  declined,
  message,
  newToken,
  spender,
  usd,
} from './desk';

async function etagOf(client: Client, url: string): Promise<string> {
  const answer = await client.get(url);
  equal(answer.status, 200, `the status of ${url}`);
  const etag = answer.headers.get('etag');
  must(etag && /^"[^"]+"$/.test(etag), `${url} has no strong ETag: ${etag}`);
  return etag;
}

/** If-Match on a PUT: needed, compared, and new after the change. */
async function optimistic(
  client: Client,
  url: string,
  read: string,
  body: unknown,
): Promise<void> {
  const before = await etagOf(client, read);
  await client.refuse('precondition-required', 'PUT', url, { body });
  await client.refuse('precondition-failed', 'PUT', url, {
    body,
    headers: { 'if-match': '"no-such-version"' },
  });
  const put = await client.send('PUT', url, {
    body,
    headers: { 'if-match': before },
  });
  equal(put.status, 200, `the status of PUT ${url}`);
  const after = await etagOf(client, read);
  must(after !== before, `the ETag of ${read} stayed the same`);
  equal(put.headers.get('etag'), after, `the ETag of PUT ${url}`);
  await client.refuse('precondition-failed', 'PUT', url, {
    body,
    headers: { 'if-match': before },
  });
  // Of many that know the same version, one wins.
  const answers = await Promise.all(
    Array.from({ length: 6 }, () =>
      client.send('PUT', url, { body, headers: { 'if-match': after } }),
    ),
  );
  equal(
    answers.filter(answer => answer.status === 200).length,
    1,
    `the number of changes to one version of ${read}`,
  );
  await client.expect(200, 'PUT', url, { body, headers: { 'if-match': '*' } });
}

export const settingChecks = group('cards, accounts and rules', {
  'a card is added by its token, once': async ({ client }) => {
    const who = await spender(client);
    const token = newToken();
    const body = {
      token,
      spendAccountId: who.account,
      expiresOn: '2030-06-30',
      limits: { perDay: '5000', countPerHour: null },
      metadata: { kind: 'virtual' },
    };
    const card = await client.expect(201, 'POST', '/v1/cards', { body });
    includes(
      card,
      {
        token,
        spendAccountId: who.account,
        currency: 'USD',
        status: 'active',
        expiresOn: '2030-06-30',
        metadata: { kind: 'virtual' },
      },
      'the card',
    );
    equal(card.limits.perDay, '5000', 'its limit');
    equal(
      await client.expect(200, 'GET', `/v1/cards/${card.id}`),
      card,
      'the card as it is read',
    );
    await client.refuse('already-exists', 'POST', '/v1/cards', { body });
    await client.refuse('account-unknown', 'POST', '/v1/cards', {
      body: { ...body, token: newToken(), spendAccountId: NOWHERE },
    });
    await client.refuse('rule-set-unknown', 'POST', '/v1/cards', {
      body: { ...body, token: newToken(), ruleSetId: `none-${randomUUID()}` },
    });
    for (const bad of [
      { ...body, token: '4111111111111111' },
      { ...body, token: 'short' },
      { ...body, token: newToken(), expiresOn: '2030-02-30' },
      { ...body, token: newToken(), limits: { perDay: '0' } },
      { ...body, token: newToken(), limits: { perYear: '5' } },
      { ...body, token: newToken(), limits: { countPerHour: -1 } },
      { ...body, token: newToken(), more: 1 },
    ])
      await client.refuse('validation-failed', 'POST', '/v1/cards', {
        body: bad,
      });
    await client.refuse('not-found', 'GET', `/v1/cards/${NOWHERE}`);
    await client.refuse('validation-failed', 'GET', '/v1/cards/x');
  },

  'a card is frozen, used again and closed for good': async ({ client }) => {
    const who = await spender(client);
    const held = await approved(client, who, '100');
    const url = `/v1/cards/${who.card}/status`;
    const status = (to: string) =>
      client.expect(201, 'POST', url, { body: { status: to, reason: 'x' } });
    equal((await status('frozen')).status, 'frozen', 'the status');
    equal((await status('active')).status, 'active', 'the status');
    equal((await status('closed')).status, 'closed', 'the status');
    await client.refuse('card-closed', 'POST', url, {
      body: { status: 'active', reason: 'x' },
    });
    await client.refuse('validation-failed', 'POST', url, {
      body: { status: 'gone', reason: 'x' },
    });
    await client.refuse('not-found', 'POST', `/v1/cards/${NOWHERE}/status`, {
      body: { status: 'frozen', reason: 'x' },
    });
    await client.refuse('card-closed', 'PUT', `/v1/cards/${who.card}/limits`, {
      body: {},
      headers: { 'if-match': '*' },
    });
    // What is held already may be captured.
    await message(client, held.id, 'captures', { amount: usd('100') });
  },

  'limits of a card are replaced by who knows them': async ({ client }) => {
    const who = await spender(client);
    const read = `/v1/cards/${who.card}`;
    await optimistic(client, `${read}/limits`, read, { perTransaction: '50' });
    await declined(client, who, '61', '51');
    await client.expect(200, 'PUT', `${read}/limits`, {
      body: { perTransaction: null },
      headers: { 'if-match': '*' },
    });
    await approved(client, who, '51');
    for (const body of [
      { perTransaction: 5 },
      { perTransaction: '-5' },
      { more: '1' },
    ])
      await client.refuse('validation-failed', 'PUT', `${read}/limits`, {
        body,
        headers: { 'if-match': '*' },
      });
    await client.refuse('not-found', 'PUT', `/v1/cards/${NOWHERE}/limits`, {
      body: {},
      headers: { 'if-match': '*' },
    });
  },

  'a spend account says what may be spent': async ({ client }) => {
    const ledgerAccountId = randomUUID();
    const body = {
      currency: 'JPY',
      creditLimit: '500',
      ledgerAccountId,
      metadata: { a: 'b' },
    };
    const opened = await client.expect(201, 'POST', '/v1/spend-accounts', {
      body,
    });
    includes(
      opened,
      {
        currency: 'JPY',
        exponent: 0,
        balance: '0',
        held: '0',
        unposted: '0',
        creditLimit: '500',
        openToBuy: '500',
        overdrawn: false,
        ledgerAccountId,
        metadata: { a: 'b' },
      },
      'the account',
    );
    await client.refuse('already-exists', 'POST', '/v1/spend-accounts', {
      body,
    });
    for (const bad of [
      {},
      { currency: 'QQQ' },
      { currency: 'USD', creditLimit: '-1' },
      { currency: 'USD', creditLimit: 5 },
      { currency: 'USD', ledgerAccountId: 'x' },
    ])
      await client.refuse('validation-failed', 'POST', '/v1/spend-accounts', {
        body: bad,
      });
    await client.refuse('not-found', 'GET', `/v1/spend-accounts/${NOWHERE}`);
    await client.refuse('validation-failed', 'GET', '/v1/spend-accounts/x');
  },

  'a credit limit is changed by who knows it': async ({ client }) => {
    const who = await spender(client, { funds: '100' });
    const read = `/v1/spend-accounts/${who.account}`;
    await approved(client, who, '80');
    await optimistic(client, `${read}/credit-limit`, read, {
      creditLimit: '50',
    });
    await accountIs(client, who.account, {
      openToBuy: '-30',
      overdrawn: true,
      held: '80',
    });
    await declined(client, who, '51', '1');
    for (const body of [{}, { creditLimit: '-1' }, { creditLimit: '01' }])
      await client.refuse('validation-failed', 'PUT', `${read}/credit-limit`, {
        body,
        headers: { 'if-match': '*' },
      });
    await client.refuse(
      'not-found',
      'PUT',
      `/v1/spend-accounts/${NOWHERE}/credit-limit`,
      {
        body: { creditLimit: '1' },
        headers: { 'if-match': '*' },
      },
    );
  },

  'rule sets have versions, and the active one decides': async ({ client }) => {
    const id = `rules-${randomUUID()}`;
    const url = `/v1/rule-sets/${id}`;
    const first = await client.send('PUT', url, {
      body: {
        body: {
          currency: 'USD',
          limits: { perTransaction: '1000', perDay: '1500', countPerHour: 4 },
          mcc: { deny: ['7995', '6050-6051'] },
          country: { deny: ['KP'] },
          overCapture: [{ mccs: ['5541'], upTo: '9000' }],
          holds: [{ mccs: ['5541'], days: 2 }],
          defaultHoldDays: 3,
        },
      },
      headers: { 'if-none-match': '*' },
    });
    equal([first.status, first.body.version], [200, 1], 'the first version');
    await client.refuse('precondition-failed', 'PUT', url, {
      body: { body: {} },
      headers: { 'if-none-match': '*' },
    });
    const who = await spender(client, {
      funds: '100000',
      card: { ruleSetId: id },
    });
    const at = (mcc: string, country = 'US') => ({
      merchant: { mcc, country },
    });
    await declined(client, who, '57', '1', at('7995'));
    await declined(client, who, '57', '1', at('6051'));
    await declined(client, who, '62', '1', at('5411', 'KP'));
    await declined(client, who, '61', '1001');
    const held = await approved(client, who, '1000', at('5411'));
    equal(
      [
        held.ruleSet,
        Math.round(
          (Date.parse(held.expiresAt) - Date.parse(held.createdAt)) /
            86_400_000,
        ),
      ],
      [{ id, version: 1 }, 3],
      'the rule set and the days that it holds',
    );
    await declined(client, who, '61', '501');
    const fuel = await approved(client, who, '100', at('5541'));
    await message(client, fuel.id, 'captures', {
      amount: usd('9000'),
      final: true,
    });
    await optimistic(client, url, url, { body: { mcc: { allow: ['5411'] } } });
    await declined(client, who, '57', '1', at('5812'));
    const now = await client.expect(200, 'GET', url);
    must(now.version >= 3, `the version is ${now.version}`);
    equal(now.body, { mcc: { allow: ['5411'] } }, 'the rules');
    const old = await client.expect(200, 'GET', `${url}/versions/1`);
    equal(
      [old.version, old.body],
      [1, first.body.body],
      'the first version as it is read',
    );
    for (const missing of [
      `${url}/versions/999`,
      '/v1/rule-sets/none-at-all',
      '/v1/rule-sets/none-at-all/shadow',
      '/v1/rule-sets/none-at-all/versions/1',
    ])
      await client.refuse('not-found', 'GET', missing);
    for (const wrong of [
      '/v1/rule-sets/-x',
      '/v1/rule-sets/-x/shadow',
      `${url}/versions/0`,
    ])
      await client.refuse('validation-failed', 'GET', wrong);
    for (const body of [
      {},
      { body: { mcc: { deny: ['75'] } } },
      { body: { country: { allow: ['usa'] } } },
      { body: { limits: { perDay: '5' } } },
      { body: { more: 1 } },
      { body: {}, mode: 'quiet' },
      { body: { defaultHoldDays: 0 } },
    ])
      await client.refuse('validation-failed', 'PUT', url, {
        body,
        headers: { 'if-match': '*' },
      });
  },

  'a candidate is evaluated beside the active version and never decides':
    async ({ client }) => {
      const id = `rules-${randomUUID()}`;
      const url = `/v1/rule-sets/${id}`;
      await client.expect(200, 'PUT', url, {
        body: { body: {} },
        headers: { 'if-none-match': '*' },
      });
      const who = await spender(client, { card: { ruleSetId: id } });
      const shadow = await client.expect(200, 'PUT', url, {
        body: {
          mode: 'shadow',
          body: { currency: 'USD', limits: { perTransaction: '10' } },
        },
        headers: { 'if-match': '*' },
      });
      includes(
        shadow,
        { mode: 'shadow', version: 2, activeVersion: 1, shadowVersion: 2 },
        'the candidate',
      );
      const big = await approved(client, who, '11');
      equal(big.ruleSet.version, 1, 'the version that decided');
      await approved(client, who, '10');
      const report = await client.expect(200, 'GET', `${url}/shadow`);
      includes(
        report,
        {
          id,
          version: 2,
          decisions: 2,
          same: 1,
          wouldDecline: 1,
          wouldApprove: 0,
        },
        'the report',
      );
      includes(
        report.differences[0],
        {
          authorizationId: big.id,
          decision: 'APPROVED',
          shadowDecision: 'DECLINED',
          shadowReasonCode: '61',
        },
        'the difference',
      );
      await client.refuse('validation-failed', 'PUT', url, {
        body: { mode: 'shadow', activeFrom: '2030-01-01T00:00:00Z', body: {} },
        headers: { 'if-match': '*' },
      });
    },
});
