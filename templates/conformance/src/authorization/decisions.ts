import { group } from '../checks';
import { equal, includes, must } from '../expect';
import { all } from '../transaction/ledger';
import {
  NOWHERE,
  accountIs,
  addsUp,
  approved,
  authorize,
  declined,
  message,
  newRef,
  newToken,
  payment,
  spender,
  stands,
  usd,
} from './desk';

export const decisionChecks = group('decisions', {
  'an approval holds the amount and says why': async ({ client }) => {
    const who = await spender(client, { funds: '10000' });
    const body = payment(who, '4000', {
      merchant: { mcc: '5812', country: 'DE', id: 'M-1', name: "Zoë's Café" },
      channel: 'chip',
      metadata: { terminal: '7' },
    });
    const answer = await client.post('/v1/authorizations', body);
    equal(answer.status, 201, 'the status');
    includes(
      answer.body,
      {
        networkRef: body.networkRef,
        kind: 'request',
        cardId: who.card,
        spendAccountId: who.account,
        amount: usd('4000'),
        merchant: body.merchant,
        channel: 'chip',
        decision: 'APPROVED',
        reasonCode: '00',
        status: 'AUTHORIZED',
        authorized: '4000',
        held: '4000',
        captured: '0',
        version: 1,
        metadata: { terminal: '7' },
      },
      'the authorization',
    );
    must(
      answer.body.trace.length > 3 &&
        answer.body.trace.every((step: any) => step.outcome !== 'fail'),
      'the trace of an approval has a failed check, or none at all',
    );
    const days =
      (Date.parse(answer.body.expiresAt) - Date.parse(answer.body.createdAt)) /
      86_400_000;
    equal(Math.round(days), 7, 'the days that it holds');
    await accountIs(client, who.account, { held: '4000', openToBuy: '6000' });
    await stands(client, answer.body.id, answer.body);
    await addsUp(client, answer.body.id);
    const lodging = await approved(client, who, '1', {
      merchant: { mcc: '7011', country: 'US' },
    });
    equal(
      Math.round(
        (Date.parse(lodging.expiresAt) - Date.parse(lodging.createdAt)) /
          86_400_000,
      ),
      31,
      'the days that lodging holds',
    );
  },

  'a decline is a result, explained, and changes nothing': async ({
    client,
  }) => {
    const who = await spender(client, { funds: '100' });
    const answer = await declined(client, who, '51', '101');
    must(
      answer.rule !== null && answer.detail !== '' && answer.expiresAt === null,
      'a decline has no rule or no detail, or it expires',
    );
    const failed = answer.trace.filter((step: any) => step.outcome === 'fail');
    equal(
      failed.map((step: any) => step.reasonCode),
      ['51'],
      'the failed checks of the trace',
    );
    await accountIs(client, who.account, {
      held: '0',
      openToBuy: '100',
      overdrawn: false,
    });
    await stands(client, answer.id, { status: 'DECLINED', authorized: '0' });
    await approved(client, who, '100');
    await declined(client, who, '51', '1');
  },

  'each reason has its code': async ({ client }) => {
    const who = await spender(client, { funds: '1000' });
    await declined(client, { ...who, token: newToken() }, '14', '1');
    const closed = await spender(client);
    await client.expect(201, 'POST', `/v1/cards/${closed.card}/status`, {
      body: { status: 'closed', reason: 'lost' },
    });
    await declined(client, closed, '14', '1');
    const frozen = await spender(client);
    const status = (to: string) =>
      client.expect(201, 'POST', `/v1/cards/${frozen.card}/status`, {
        body: { status: to, reason: 'asked for' },
      });
    await status('frozen');
    await declined(client, frozen, '62', '1');
    await status('active');
    await approved(client, frozen, '1');
    const old = await spender(client, { card: { expiresOn: '2020-01-31' } });
    await declined(client, old, '54', '1');
    await declined(client, who, '57', '1', {
      amount: { value: '1', currency: 'EUR' },
    });
    const late = await client.expect(201, 'POST', '/v1/authorizations', {
      body: payment(who, '1'),
      headers: { 'x-deadline-ms': '0' },
    });
    equal(
      [late.decision, late.reasonCode],
      ['DECLINED', '91'],
      'past the deadline',
    );
    const soon = await client.expect(201, 'POST', '/v1/authorizations', {
      body: payment(who, '1'),
      headers: { 'x-deadline-ms': '30000' },
    });
    equal(soon.decision, 'APPROVED', 'the decision within the deadline');
  },

  'limits of the card count what was approved': async ({ client }) => {
    const limited = (limits: Record<string, unknown>) =>
      spender(client, { funds: '1000000', card: { limits } });
    const single = await limited({ perTransaction: '500' });
    await declined(client, single, '61', '501');
    await approved(client, single, '500');
    for (const window of ['perDay', 'perWeek', 'perMonth']) {
      const who = await limited({ [window]: '1000' });
      await approved(client, who, '600');
      await declined(client, who, '61', '401');
      await approved(client, who, '400');
      await declined(client, who, '61', '1');
    }
    const counted = await limited({ countPerHour: 3 });
    for (let i = 0; i < 3; i++) await approved(client, counted, '1');
    await declined(client, counted, '65', '1');
    // The hour may have turned in between; then the fourth counts for the next one.
    const none = await limited({ countPerHour: 0 });
    await declined(client, none, '65', '1');
  },

  'an advice is recorded beyond limits and funds': async ({ client }) => {
    const who = await spender(client, {
      funds: '100',
      card: { limits: { perTransaction: '50' } },
    });
    const advice = await approved(client, who, '250', { kind: 'advice' });
    includes(
      advice,
      { kind: 'advice', held: '250', overdrawn: true },
      'the advice',
    );
    await accountIs(client, who.account, {
      held: '250',
      openToBuy: '-150',
      overdrawn: true,
    });
    await declined(client, who, '51', '1');
    await message(client, advice.id, 'captures', {
      amount: usd('250'),
      final: true,
    });
  },

  'the same message is one authorization, under any key': async ({
    client,
  }) => {
    const who = await spender(client, { funds: '1000' });
    const body = payment(who, '100');
    const first = await client.expect(201, 'POST', '/v1/authorizations', {
      body,
    });
    const again = await client.post('/v1/authorizations', body);
    equal(
      [again.status, again.body],
      [200, first],
      'the answer to a repetition',
    );
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        client.post('/v1/authorizations', {
          ...body,
          networkRef: `${body.networkRef}-x`,
        }),
      ),
    );
    equal(
      answers.filter(answer => answer.status === 201).length,
      1,
      'the number of new authorizations of one message',
    );
    await accountIs(client, who.account, { held: '200' });
    await client.refuse('network-ref-mismatch', 'POST', '/v1/authorizations', {
      body: { ...body, amount: usd('101') },
    });
    await accountIs(client, who.account, { held: '200' });
    // A decline stays a decline, even with funds by now.
    const poor = await spender(client, { funds: '10' });
    const asked = payment(poor, '50');
    await client.expect(201, 'POST', '/v1/authorizations', { body: asked });
    await client.expect(
      200,
      'PUT',
      `/v1/spend-accounts/${poor.account}/credit-limit`,
      {
        body: { creditLimit: '1000' },
        headers: { 'if-match': '*' },
      },
    );
    const repeated = await client.post('/v1/authorizations', asked);
    equal(
      [repeated.status, repeated.body.decision],
      [200, 'DECLINED'],
      'the repetition of a decline',
    );
  },

  'requests of a wrong form are problems, not declines': async ({ client }) => {
    const who = await spender(client);
    const good = payment(who, '1');
    const without = (member: string) =>
      Object.fromEntries(
        Object.entries(good).filter(([name]) => name !== member),
      );
    const bad: unknown[] = [
      ...['networkRef', 'cardToken', 'amount', 'merchant'].map(without),
      { ...good, more: 1 },
      { ...good, kind: 'order' },
      { ...good, channel: 'letter' },
      { ...good, networkRef: '' },
      { ...good, networkRef: 'a b' },
      { ...good, networkRef: 'x'.repeat(65) },
      { ...good, networkRef: `'; DROP TABLE card; --` },
      // A card number is never a token.
      { ...good, cardToken: '4111111111111111' },
      { ...good, cardToken: 'short' },
      { ...good, merchant: { mcc: '54', country: 'US' } },
      { ...good, merchant: { mcc: '5411', country: 'usa' } },
      { ...good, merchant: { mcc: '5411' } },
      { ...good, amount: { value: '1', currency: 'QQQ' } },
      { ...good, amount: { value: '1', currency: 'usd' } },
      ...[
        '0',
        '-1',
        '1.5',
        '01',
        '1e3',
        ' 1',
        '',
        '9223372036854775808',
        '1000000000000000000',
      ].map(value => ({ ...good, amount: { value, currency: 'USD' } })),
      { ...good, amount: { value: 1, currency: 'USD' } },
    ];
    for (const body of bad)
      await client.refuse('validation-failed', 'POST', '/v1/authorizations', {
        body,
      });
    for (const deadline of ['-1', 'soon', '1.5', '60001'])
      await client.refuse('validation-failed', 'POST', '/v1/authorizations', {
        body: good,
        headers: { 'x-deadline-ms': deadline },
      });
    await accountIs(client, who.account, { held: '0' });
    // 2^53 + 1 is an amount like any other.
    const rich = await spender(client, { funds: '9007199254740993' });
    const exact = await approved(client, rich, '9007199254740993');
    equal(exact.held, '9007199254740993', 'the hold');
    await declined(client, rich, '51', '1');
    for (const name of [
      `'; DROP TABLE x; --`,
      '${7*7}{{7*7}}',
      '<script>',
      'Zoë 漢字',
    ]) {
      const answer = await authorize(client, who, '1', {
        merchant: { mcc: '5411', country: 'US', name },
        metadata: { note: name },
      });
      equal(answer.merchant.name, name, 'the name of the merchant');
    }
  },

  'are found again, newest first, page by page': async ({ client }) => {
    const who = await spender(client);
    const made: string[] = [];
    for (let i = 0; i < 5; i++)
      made.push((await approved(client, who, '1')).id);
    const newest = [...made].reverse();
    for (const query of [`cardId=${who.card}`, `spendAccountId=${who.account}`])
      equal(
        (await all(client, `/v1/authorizations?${query}`, 2)).map(
          ({ id }) => id,
        ),
        newest,
        `what ${query} finds`,
      );
    const [first] = await all(client, `/v1/authorizations?cardId=${who.card}`);
    equal(
      (
        await all(client, `/v1/authorizations?networkRef=${first.networkRef}`)
      ).map(({ id }) => id),
      [first.id],
      'what networkRef finds',
    );
    equal(
      await all(client, `/v1/authorizations?networkRef=${newRef()}`),
      [],
      'what an unknown networkRef finds',
    );
    await client.expect(200, 'GET', '/v1/authorizations');
    for (const query of ['limit=0', 'limit=201', 'cursor=%21', 'cardId=x'])
      await client.refuse(
        'validation-failed',
        'GET',
        `/v1/authorizations?${query}`,
      );
    for (const part of ['', '/events']) {
      await client.refuse(
        'not-found',
        'GET',
        `/v1/authorizations/${NOWHERE}${part}`,
      );
      await client.refuse(
        'validation-failed',
        'GET',
        `/v1/authorizations/x${part}`,
      );
    }
  },
});
