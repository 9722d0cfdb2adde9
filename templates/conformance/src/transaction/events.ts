import { randomUUID } from 'node:crypto';
import { group } from '../checks';
import type { Client } from '../client';
import { equal, includes, must } from '../expect';
import {
  accountAddsUp,
  all,
  balance,
  balanceIs,
  openAccount,
  transfer,
  wallet,
} from './ledger';

const NOWHERE = '0199d5d0-0000-7000-8000-000000000000';

/** An event of the authorization service: so much was captured from this account. */
export function captured(
  ledgerAccountId: string | null,
  value: string,
  more: Record<string, unknown> = {},
): any {
  const authorizationId = randomUUID();
  return {
    specversion: '1.0',
    id: randomUUID(),
    source: '/conformance/authorizations',
    type: 'authorization.captured.v1',
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    subject: authorizationId,
    data: {
      authorizationId,
      networkRef: `net-${authorizationId}`,
      cardId: randomUUID(),
      spendAccountId: randomUUID(),
      ledgerAccountId,
      seq: 2,
      kind: 'CAPTURED',
      amount: { value, currency: 'USD' },
      createdAt: new Date().toISOString(),
      final: true,
      overdrawn: false,
      authorization: {
        status: 'CAPTURED',
        authorized: value,
        captured: value,
        reversed: '0',
        released: '0',
        held: '0',
        version: 2,
      },
      ...more,
    },
  };
}

const send = (client: Client, event: unknown) =>
  client.post('/v1/events', event, { key: null });

const posted = (client: Client, event: any) =>
  all(client, `/v1/transactions?externalRef=${event.data.authorizationId}`);

export const eventChecks = group('events', {
  'post what was captured, once': async ({ client }) => {
    const { wallet: owner } = await wallet(client, 5_000n);
    const event = captured(owner, '2000');
    const first = await send(client, event);
    equal(
      [first.status, first.body],
      [202, { id: event.id, outcome: 'processed' }],
      'the first answer',
    );
    const again = await Promise.all([
      send(client, event),
      send(client, event),
      client.send('POST', '/v1/events', {
        key: null,
        raw: JSON.stringify(event),
        headers: { 'content-type': 'application/cloudevents+json' },
      }),
    ]);
    for (const answer of again)
      equal(
        [answer.status, answer.body.outcome],
        [200, 'duplicate'],
        'the answer to a duplicate',
      );
    const found = await posted(client, event);
    equal(found.length, 1, 'the number of transactions');
    includes(found[0], { kind: 'posting' }, 'the transaction');
    const own = found[0].legs.find((leg: any) => leg.accountId === owner);
    const other = found[0].legs.find((leg: any) => leg.accountId !== owner);
    equal(
      [own?.direction, own?.amount, other?.direction, other?.amount],
      [
        'debit',
        { value: '2000', currency: 'USD' },
        'credit',
        { value: '2000', currency: 'USD' },
      ],
      'its legs',
    );
    await balanceIs(client, owner, { posted: '3000' });
    await accountAddsUp(client, owner);
    // The other side is one account per currency.
    const second = captured(owner, '1');
    equal((await send(client, second)).status, 202, 'the status');
    const settlement = (await posted(client, second))[0].legs.find(
      (leg: any) => leg.accountId !== owner,
    );
    equal(settlement.accountId, other.accountId, 'the settlement account');
  },

  'that come many times at once are posted once': async ({ client }) => {
    const { wallet: owner } = await wallet(client, 100n);
    const event = captured(owner, '7');
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => send(client, event)),
    );
    equal(
      answers.filter(answer => answer.body.outcome === 'processed').length,
      1,
      'the number of answers that it was processed',
    );
    equal(
      (await posted(client, event)).length,
      1,
      'the number of transactions',
    );
    // Another source may use the same id.
    const elsewhere = {
      ...captured(owner, '7'),
      id: event.id,
      source: '/other',
    };
    equal((await send(client, elsewhere)).status, 202, 'the status');
    await balanceIs(client, owner, { posted: '86' });
  },

  'that are not for the ledger are acknowledged': async ({ client }) => {
    for (const event of [
      { ...captured(null, '5'), type: 'authorization.approved.v1' },
      { ...captured(null, '5'), type: 'something.else.v9', data: {} },
      captured(null, '5'),
    ]) {
      const answer = await send(client, event);
      equal(
        [answer.status, answer.body.outcome],
        [202, 'ignored'],
        `the answer to ${event.type}`,
      );
    }
  },

  'that cannot be posted are not taken, and may come again': async ({
    client,
  }) => {
    const { cash, wallet: owner } = await wallet(client, 10n);
    const unknown = captured(NOWHERE, '5');
    await client.refuse('account-unknown', 'POST', '/v1/events', {
      body: unknown,
      key: null,
    });
    const eur = await openAccount(client, { currency: 'EUR' });
    await client.refuse('currency-mismatch', 'POST', '/v1/events', {
      body: captured(eur, '5'),
      key: null,
    });
    const tooMuch = captured(owner, '11');
    await client.refuse('insufficient-funds', 'POST', '/v1/events', {
      body: tooMuch,
      key: null,
    });
    await transfer(client, cash, owner, '1');
    equal(
      (await send(client, tooMuch)).body.outcome,
      'processed',
      'the outcome',
    );
    equal((await balance(client, owner)).posted, '0', 'the balance');
    await client.expect(201, 'POST', `/v1/accounts/${owner}/status`, {
      body: { status: 'frozen', reason: 'x' },
    });
    await client.refuse('account-frozen', 'POST', '/v1/events', {
      body: captured(owner, '1'),
      key: null,
    });
  },

  'of a wrong form are refused': async ({ client }) => {
    const good = captured(NOWHERE, '5');
    const without = (member: string) =>
      Object.fromEntries(
        Object.entries(good).filter(([name]) => name !== member),
      );
    const bad: unknown[] = [
      {},
      without('id'),
      without('source'),
      without('type'),
      without('specversion'),
      without('data'),
      { ...good, specversion: '0.3' },
      { ...good, id: '' },
      { ...good, id: 'x'.repeat(129) },
      { ...good, time: 'now' },
      { ...good, data: 'x' },
      { ...good, data: {} },
      {
        ...good,
        data: { ...good.data, amount: { value: '0', currency: 'USD' } },
      },
      {
        ...good,
        data: { ...good.data, amount: { value: 5, currency: 'USD' } },
      },
      {
        ...good,
        data: { ...good.data, amount: { value: '5', currency: 'QQQ' } },
      },
      { ...good, data: { ...good.data, ledgerAccountId: 'me' } },
    ];
    for (const body of bad)
      await client.refuse('validation-failed', 'POST', '/v1/events', {
        body,
        key: null,
      });
    must((await posted(client, good)).length === 0, 'a bad event was posted');
  },
});
