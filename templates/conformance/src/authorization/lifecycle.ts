import { group } from '../checks';
import { equal, includes, must } from '../expect';
import {
  NOWHERE,
  accountIs,
  addsUp,
  approved,
  declined,
  message,
  newRef,
  payment,
  spender,
  stands,
  url,
  usd,
} from './desk';

export const lifecycleChecks = group('life cycle', {
  'is captured in parts, the last of which releases the rest': async ({
    client,
  }) => {
    const who = await spender(client, { funds: '1000' });
    const { id } = await approved(client, who, '500');
    const first = await message(client, id, 'captures', {
      amount: usd('200'),
      reference: 'part 1',
    });
    includes(
      first,
      {
        kind: 'CAPTURED',
        seq: 2,
        amount: usd('200'),
        final: false,
        reference: 'part 1',
        overdrawn: false,
      },
      'the first capture',
    );
    await stands(client, id, {
      status: 'PARTIALLY_CAPTURED',
      captured: '200',
      held: '300',
    });
    await accountIs(client, who.account, {
      held: '300',
      unposted: '200',
      openToBuy: '500',
    });
    await message(client, id, 'captures', { amount: usd('100'), final: true });
    await stands(client, id, {
      status: 'CAPTURED',
      captured: '300',
      released: '200',
      held: '0',
    });
    await accountIs(client, who.account, {
      held: '0',
      unposted: '300',
      openToBuy: '700',
    });
    await addsUp(client, id);
    await client.refuse(
      'authorization-not-open',
      'POST',
      url(id, 'increments'),
      {
        body: { amount: usd('1') },
      },
    );
    await client.refuse('already-reversed', 'POST', url(id, 'reversals'), {
      body: {},
    });
    await client.refuse('authorization-not-open', 'POST', url(id, 'expire'), {
      body: {},
    });
  },

  'is captured beyond its amount only within the tolerance': async ({
    client,
  }) => {
    const who = await spender(client, { funds: '100000' });
    const plain = await approved(client, who, '1000');
    await client.refuse(
      'capture-exceeds-authorization',
      'POST',
      url(plain.id, 'captures'),
      {
        body: { amount: usd('1001') },
      },
    );
    await message(client, plain.id, 'captures', { amount: usd('1000') });
    await client.refuse(
      'capture-exceeds-authorization',
      'POST',
      url(plain.id, 'captures'),
      {
        body: { amount: usd('1') },
      },
    );
    // Tips: 20 % in restaurants, over all parts together.
    const meal = await approved(client, who, '999', {
      merchant: { mcc: '5812', country: 'US' },
    });
    // floor(999 × 1.2) = 1198
    await message(client, meal.id, 'captures', { amount: usd('900') });
    await client.refuse(
      'capture-exceeds-authorization',
      'POST',
      url(meal.id, 'captures'),
      {
        body: { amount: usd('299') },
      },
    );
    await message(client, meal.id, 'captures', {
      amount: usd('298'),
      final: true,
    });
    await stands(client, meal.id, {
      status: 'CAPTURED',
      captured: '1198',
      held: '0',
    });
    // What was reversed is no base for a tip.
    const less = await approved(client, who, '1000', {
      merchant: { mcc: '5812', country: 'US' },
    });
    await message(client, less.id, 'reversals', { amount: usd('500') });
    await client.refuse(
      'capture-exceeds-authorization',
      'POST',
      url(less.id, 'captures'),
      {
        body: { amount: usd('601') },
      },
    );
    await message(client, less.id, 'captures', {
      amount: usd('600'),
      final: true,
    });
  },

  'is incremented like an authorization': async ({ client }) => {
    const who = await spender(client, { funds: '1000' });
    const { id } = await approved(client, who, '600');
    const more = await message(client, id, 'increments', {
      amount: usd('300'),
    });
    includes(
      more,
      { kind: 'INCREMENTED', decision: 'APPROVED' },
      'the increment',
    );
    await stands(client, id, {
      status: 'AUTHORIZED',
      authorized: '900',
      held: '900',
    });
    const refused = await message(client, id, 'increments', {
      amount: usd('101'),
    });
    includes(
      refused,
      { kind: 'INCREMENT_DECLINED', decision: 'DECLINED', reasonCode: '51' },
      'the increment beyond the funds',
    );
    await stands(client, id, {
      status: 'AUTHORIZED',
      authorized: '900',
      held: '900',
    });
    await accountIs(client, who.account, { held: '900', openToBuy: '100' });
    await message(client, id, 'captures', { amount: usd('900'), final: true });
    await addsUp(client, id);
    await client.refuse('currency-mismatch', 'POST', url(id, 'captures'), {
      body: { amount: { value: '1', currency: 'EUR' } },
    });
  },

  'is reversed in parts, up to what is held': async ({ client }) => {
    const who = await spender(client, { funds: '1000' });
    const { id } = await approved(client, who, '500');
    await message(client, id, 'reversals', { amount: usd('100') });
    await stands(client, id, {
      status: 'PARTIALLY_REVERSED',
      reversed: '100',
      held: '400',
    });
    await message(client, id, 'captures', { amount: usd('150') });
    await client.refuse('already-reversed', 'POST', url(id, 'reversals'), {
      body: { amount: usd('251') },
    });
    const rest = await message(client, id, 'reversals');
    includes(rest, { kind: 'REVERSED', amount: usd('250') }, 'the rest');
    await stands(client, id, {
      status: 'CAPTURED',
      captured: '150',
      held: '0',
    });
    await accountIs(client, who.account, {
      held: '0',
      unposted: '150',
      openToBuy: '850',
    });
    const whole = await approved(client, who, '50');
    await message(client, whole.id, 'reversals');
    await stands(client, whole.id, { status: 'REVERSED', held: '0' });
    await client.refuse(
      'already-reversed',
      'POST',
      url(whole.id, 'reversals'),
      { body: {} },
    );
    for (const what of ['captures', 'increments'])
      await client.refuse(
        'authorization-not-open',
        'POST',
        url(whole.id, what),
        {
          body: { amount: usd('1') },
        },
      );
    await addsUp(client, id);
  },

  'expires, and a late capture is posted all the same': async ({ client }) => {
    const who = await spender(client, { funds: '100' });
    const { id } = await approved(client, who, '100');
    const expired = await message(client, id, 'expire');
    includes(expired, { kind: 'EXPIRED', amount: usd('100') }, 'the event');
    await stands(client, id, { status: 'EXPIRED', held: '0', released: '100' });
    await accountIs(client, who.account, { held: '0', openToBuy: '100' });
    await client.refuse('authorization-not-open', 'POST', url(id, 'expire'), {
      body: {},
    });
    await client.refuse('already-reversed', 'POST', url(id, 'reversals'), {
      body: {},
    });
    // The funds are gone by now.
    await approved(client, who, '60');
    const forced = await message(client, id, 'captures', {
      amount: usd('100'),
      final: true,
    });
    includes(
      forced,
      { kind: 'FORCE_POSTED', overdrawn: true, final: true },
      'the late capture',
    );
    await stands(client, id, {
      status: 'CAPTURED',
      captured: '100',
      held: '0',
    });
    await accountIs(client, who.account, { openToBuy: '-60', overdrawn: true });
    await client.refuse(
      'capture-exceeds-authorization',
      'POST',
      url(id, 'captures'),
      {
        body: { amount: usd('1') },
      },
    );
    await addsUp(client, id);
  },

  'that was declined stays declined': async ({ client }) => {
    const who = await spender(client, { funds: '10' });
    const { id } = await declined(client, who, '51', '11');
    for (const what of ['captures', 'increments'])
      await client.refuse('authorization-not-open', 'POST', url(id, what), {
        body: { amount: usd('1') },
      });
    for (const what of ['reversals', 'expire'])
      await client.refuse('authorization-not-open', 'POST', url(id, what), {
        body: {},
      });
    await addsUp(client, id);
  },

  'whose reversal came first is declined when it comes': async ({ client }) => {
    const who = await spender(client, { funds: '1000' });
    const body = payment(who, '100');
    const early = await client.expect(201, 'POST', '/v1/reversals', {
      body: { networkRef: body.networkRef },
    });
    includes(
      early,
      { networkRef: body.networkRef, outcome: 'recorded', event: null },
      'the early reversal',
    );
    const late = await client.expect(201, 'POST', '/v1/authorizations', {
      body,
    });
    equal(
      [late.decision, late.reasonCode, late.held],
      ['DECLINED', '96', '0'],
      'the late authorization',
    );
    await accountIs(client, who.account, { held: '0', openToBuy: '1000' });
    await client.refuse('not-found', 'POST', '/v1/reversals', {
      body: { networkRef: newRef(), amount: usd('1') },
    });
    // The same message again, under any key, is answered alike.
    const again = await client.post('/v1/reversals', {
      networkRef: body.networkRef,
    });
    equal(
      [again.status, again.body.outcome],
      [200, 'recorded'],
      'the answer to the early reversal again',
    );
    const poor = await spender(client, { funds: '1' });
    const refused = payment(poor, '2');
    await client.expect(201, 'POST', '/v1/authorizations', { body: refused });
    await client.refuse('authorization-not-open', 'POST', '/v1/reversals', {
      body: { networkRef: refused.networkRef },
    });
    // In the usual order it is a reversal like any other.
    const usual = payment(who, '300');
    const { id } = await client.expect(201, 'POST', '/v1/authorizations', {
      body: usual,
    });
    const part = await client.expect(201, 'POST', '/v1/reversals', {
      body: { networkRef: usual.networkRef, amount: usd('100') },
    });
    includes(part, { outcome: 'reversed' }, 'the reversal of a part');
    equal(part.event.kind, 'REVERSED', 'the kind of its event');
    await client.expect(201, 'POST', '/v1/reversals', {
      body: { networkRef: usual.networkRef },
    });
    await stands(client, id, {
      status: 'REVERSED',
      reversed: '300',
      held: '0',
    });
    await client.refuse('already-reversed', 'POST', '/v1/reversals', {
      body: { networkRef: usual.networkRef },
    });
    await client.refuse('currency-mismatch', 'POST', '/v1/reversals', {
      body: {
        networkRef: usual.networkRef,
        amount: { value: '1', currency: 'EUR' },
      },
    });
    await client.refuse('validation-failed', 'POST', '/v1/reversals', {
      body: {},
    });
  },

  'is decided once when reversal and authorization meet': async ({
    client,
  }) => {
    const who = await spender(client, { funds: '100000' });
    for (let round = 0; round < 10; round++) {
      const body = payment(who, '100');
      const [reversal, authorization] = await Promise.all([
        client.expect(201, 'POST', '/v1/reversals', {
          body: { networkRef: body.networkRef },
        }),
        client.expect(201, 'POST', '/v1/authorizations', { body }),
      ]);
      const outcome = `${reversal.outcome} ${authorization.decision}`;
      must(
        ['recorded DECLINED', 'reversed APPROVED'].includes(outcome),
        `a reversal and its authorization at once: ${outcome}`,
      );
      await stands(client, authorization.id, { held: '0' });
    }
    await accountIs(client, who.account, { held: '0' });
  },

  'is not there': async ({ client }) => {
    for (const what of ['increments', 'captures', 'reversals', 'expire']) {
      const body = ['reversals', 'expire'].includes(what)
        ? {}
        : { amount: usd('1') };
      await client.refuse('not-found', 'POST', url(NOWHERE, what), { body });
      await client.refuse('validation-failed', 'POST', url('x', what), {
        body,
      });
    }
    const who = await spender(client);
    const { id } = await approved(client, who, '10');
    for (const what of ['increments', 'captures', 'reversals']) {
      for (const amount of [
        usd('0'),
        usd('-1'),
        usd('1.5'),
        { value: '1' },
        '1',
      ])
        await client.refuse('validation-failed', 'POST', url(id, what), {
          body: { amount },
        });
      await client.refuse('currency-mismatch', 'POST', url(id, what), {
        body: { amount: { value: '1', currency: 'EUR' } },
      });
    }
    await stands(client, id, { held: '10', version: 1 });
  },
});
