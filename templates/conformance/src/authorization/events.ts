import { randomUUID } from 'node:crypto';
import { group } from '../checks';
import type { Client } from '../client';
import { equal, must } from '../expect';
import { accountIs, approved, declined, message, spender, usd } from './desk';

function event(type: string, subject: string, data: unknown): any {
  return {
    specversion: '1.0',
    id: randomUUID(),
    source: '/conformance/ledger',
    type,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    subject,
    data,
  };
}

/** The ledger tells a balance; version counts its entries. */
export function balanceChanged(
  accountId: string,
  balance: string,
  version: number,
): any {
  return event('balance.changed.v1', accountId, {
    accountId,
    currency: 'USD',
    normalSide: 'credit',
    posted: balance,
    pending: '0',
    available: balance,
    debitsPosted: '0',
    creditsPosted: balance.startsWith('-') ? '0' : balance,
    version,
  });
}

/** The ledger tells that it moved money out of an account. */
function posted(
  accountId: string,
  value: string,
  balanceAfter: string,
  version: number,
  metadata: Record<string, string>,
  externalRef: string | null,
): any {
  const now = new Date().toISOString();
  const leg = (
    line: number,
    account: string,
    direction: string,
    after: string,
  ) => ({
    line,
    accountId: account,
    direction,
    amount: usd(value),
    balanceAfter: after,
    accountVersion: version,
    reversesLine: null,
  });
  const id = randomUUID();
  return event('transaction.posted.v1', id, {
    id,
    kind: 'posting',
    externalRef,
    effectiveAt: now,
    createdAt: now,
    actor: 'ledger',
    reverses: null,
    resolves: null,
    expiresAt: null,
    metadata,
    legs: [
      leg(1, accountId, 'debit', balanceAfter),
      leg(2, randomUUID(), 'credit', value),
    ],
  });
}

const send = (client: Client, body: unknown) =>
  client.post('/v1/events', body, { key: null });

export const eventChecks = group('events', {
  'of the ledger move the balance, whatever order they come in': async ({
    client,
  }) => {
    const ledgerAccountId = randomUUID();
    const who = await spender(client, { funds: '0', ledgerAccountId });
    await declined(client, who, '51', '1');
    const newer = balanceChanged(ledgerAccountId, '700', 3);
    equal((await send(client, newer)).status, 202, 'the status of an event');
    await accountIs(client, who.account, { balance: '700', openToBuy: '700' });
    // Told before, arrived after.
    equal(
      (await send(client, balanceChanged(ledgerAccountId, '900', 2))).status,
      202,
      'the status of an old event',
    );
    await accountIs(client, who.account, { balance: '700' });
    const again = await send(client, newer);
    equal(
      [again.status, again.body.outcome],
      [200, 'duplicate'],
      'the answer to a duplicate',
    );
    await approved(client, who, '700');
    await declined(client, who, '51', '1');
    await send(client, balanceChanged(ledgerAccountId, '100', 4));
    await accountIs(client, who.account, {
      balance: '100',
      openToBuy: '-600',
      overdrawn: true,
    });
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        send(
          client,
          balanceChanged(ledgerAccountId, String(1_000 + i), 10 + i),
        ),
      ),
    );
    must(
      answers.every(answer => answer.status === 202),
      'an event was refused',
    );
    await accountIs(client, who.account, { balance: '1009' });
  },

  'tell that a capture is posted, so it is counted once': async ({
    client,
  }) => {
    const ledgerAccountId = randomUUID();
    const who = await spender(client, { funds: '0', ledgerAccountId });
    await send(client, balanceChanged(ledgerAccountId, '1000', 1));
    const { id } = await approved(client, who, '400');
    const captured = await message(client, id, 'captures', {
      amount: usd('400'),
      final: true,
    });
    await accountIs(client, who.account, {
      balance: '1000',
      unposted: '400',
      openToBuy: '600',
    });
    const told = posted(
      ledgerAccountId,
      '400',
      '600',
      2,
      {
        eventId: captured.id,
        networkRef: captured.networkRef,
        seq: String(captured.seq),
      },
      id,
    );
    equal((await send(client, told)).body.outcome, 'processed', 'the outcome');
    await accountIs(client, who.account, {
      balance: '600',
      unposted: '0',
      openToBuy: '600',
    });
    await send(client, told);
    await send(client, { ...told, id: randomUUID() });
    await accountIs(client, who.account, {
      balance: '600',
      unposted: '0',
      openToBuy: '600',
    });
  },

  'that are not for anybody here are acknowledged': async ({ client }) => {
    for (const other of [
      balanceChanged(randomUUID(), '5', 1),
      event('something.else.v9', 'x', {}),
    ])
      equal(
        (await send(client, other)).status,
        202,
        `the status of ${other.type}`,
      );
  },

  'of a wrong form are refused': async ({ client }) => {
    const good = balanceChanged(randomUUID(), '5', 1);
    for (const body of [
      {},
      { ...good, id: undefined },
      { ...good, source: '' },
      { ...good, specversion: '0.3' },
      { ...good, time: 'now' },
      { ...good, data: 'x' },
      { ...good, data: { ...good.data, posted: 5 } },
      { ...good, data: { ...good.data, version: 'x' } },
      { ...good, data: {} },
    ])
      await client.refuse('validation-failed', 'POST', '/v1/events', {
        body,
        key: null,
      });
  },
});
