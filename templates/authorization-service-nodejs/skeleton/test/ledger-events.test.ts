import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startHarness, usd, type Harness } from './support/harness.ts';

let service: Harness;
beforeAll(async () => {
  service = await startHarness();
});
afterAll(() => service.close());

function event(type: string, data: object, id: string = randomUUID()) {
  const time = '2026-11-21T10:00:00Z';
  return {
    specversion: '1.0',
    id,
    source: '/services/wallet-transactions',
    type,
    time,
    datacontenttype: 'application/json',
    subject: 'x',
    data,
  };
}

function balance(accountId: string, posted: string, version: number, id?: string) {
  const data = {
    accountId,
    currency: 'USD',
    normalSide: 'credit',
    posted,
    pending: '0',
    available: posted,
    debitsPosted: '0',
    creditsPosted: '0',
    version,
  };
  return event('balance.changed.v1', data, id);
}

function posted(
  accountId: string,
  value: string,
  balanceAfter: string,
  accountVersion: number,
  eventId: string | null,
  type = 'transaction.posted.v1',
) {
  const time = '2026-11-21T10:00:00Z';
  const amount = { value, currency: 'USD' };
  return event(type, {
    id: randomUUID(),
    kind: type === 'transaction.reversed.v1' ? 'reversal' : 'posting',
    externalRef: randomUUID(),
    effectiveAt: time,
    createdAt: time,
    actor: 'cards',
    reverses: type === 'transaction.reversed.v1' ? randomUUID() : null,
    resolves: null,
    expiresAt: null,
    metadata: eventId === null ? {} : { eventId },
    legs: [
      { line: 1, accountId, direction: 'debit', amount, balanceAfter, accountVersion, reversesLine: null },
      {
        line: 2,
        accountId: randomUUID(),
        direction: 'credit',
        amount,
        balanceAfter: '0',
        accountVersion: 9,
        reversesLine: null,
      },
    ],
  });
}

const send = (body: object) => service.post('/v1/events', body);

async function linked(ledgerSide = 'credit') {
  const ledgerAccountId = randomUUID();
  const account = await service.openAccount('0', 'USD', { ledgerAccountId, ledgerSide });
  const { token } = await service.addCard(account);
  return { account, ledgerAccountId, token };
}

describe('balances of the ledger', () => {
  it('become open-to-buy, once each, the newest wins', async () => {
    const { account, ledgerAccountId, token } = await linked();
    expect((await service.authorize(token, '1')).body.reasonCode).toBe('51');
    const id = randomUUID();
    expect(await send(balance(ledgerAccountId, '500', 3, id))).toMatchObject({
      status: 202,
      body: { outcome: 'processed' },
    });
    expect(await send(balance(ledgerAccountId, '500', 3, id))).toMatchObject({
      status: 200,
      body: { outcome: 'duplicate' },
    });
    await send(balance(ledgerAccountId, '900', 2));
    expect(await service.account(account)).toMatchObject({ balance: '500', openToBuy: '500' });
    expect((await service.authorize(token, '500')).body.decision).toBe('APPROVED');
    await send(balance(ledgerAccountId, '100', 4));
    expect(await service.account(account)).toMatchObject({
      balance: '100',
      held: '500',
      openToBuy: '-400',
      overdrawn: true,
    });
  });

  it('of an account that the cardholder owes count the other way', async () => {
    const { account, ledgerAccountId } = await linked('debit');
    await send(balance(ledgerAccountId, '70', 1));
    expect(await service.account(account)).toMatchObject({ balance: '-70', openToBuy: '-70', overdrawn: true });
  });

  it('end the same in any order and with repetitions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([1, 2, 3, 4, 1, 2, 3, 4], { minLength: 8 }), async order => {
        const { account, ledgerAccountId } = await linked();
        const events = [100, 40, 250, 75].map((amount, i) => balance(ledgerAccountId, String(amount), i + 1));
        await Promise.all(order.map(version => send(events[version - 1]!)));
        expect((await service.account(account)).balance).toBe('75');
      }),
      { numRuns: 8 },
    );
  });

  it('of accounts and types that nobody here knows are acknowledged', async () => {
    expect((await send(balance(randomUUID(), '5', 1))).status).toBe(202);
    expect(await send(event('something.else.v1', {}))).toMatchObject({ status: 202, body: { outcome: 'ignored' } });
  });

  it('that do not keep their schema are refused and may be sent again', async () => {
    const { account, ledgerAccountId } = await linked();
    const id = randomUUID();
    for (const wrong of ['1.5', 'much', 5]) {
      const answer = await send(balance(ledgerAccountId, wrong as string, 1, id));
      expect(answer).toMatchObject({ status: 400, body: { code: 'validation-failed' } });
      expect(answer.body.errors[0].pointer).toBe('/data/posted');
    }
    expect((await send(balance(ledgerAccountId, '5', 1, id))).status).toBe(202);
    expect((await service.account(account)).balance).toBe('5');
  });
});

describe('a capture', () => {
  it('is part of the balance once the ledger has posted it, and counts never twice', async () => {
    const { account, ledgerAccountId, token } = await linked();
    await send(balance(ledgerAccountId, '1000', 1));
    const id = await service.approved(token, '300');
    const capture = (await service.act(id, 'captures', { amount: usd('300') })).body;
    expect(await service.account(account)).toMatchObject({
      balance: '1000',
      held: '0',
      unposted: '300',
      openToBuy: '700',
    });
    const fact = posted(ledgerAccountId, '300', '700', 2, capture.id);
    await send(fact);
    await send(fact);
    await send(balance(ledgerAccountId, '700', 2));
    expect(await service.account(account)).toMatchObject({ balance: '700', unposted: '0', openToBuy: '700' });
    // The ledger says it under another id: the capture is posted already.
    await send(posted(ledgerAccountId, '300', '700', 2, capture.id));
    expect(await service.account(account)).toMatchObject({ balance: '700', unposted: '0', openToBuy: '700' });
  });

  it('whose posting overtakes an older balance is still settled', async () => {
    const { account, ledgerAccountId, token } = await linked();
    await send(balance(ledgerAccountId, '1000', 1));
    const id = await service.approved(token, '300');
    const capture = (await service.act(id, 'captures', { amount: usd('300') })).body;
    await send(balance(ledgerAccountId, '650', 5));
    await send(posted(ledgerAccountId, '300', '700', 2, capture.id));
    expect(await service.account(account)).toMatchObject({ balance: '650', unposted: '0', openToBuy: '650' });
  });

  it('is not settled by a transaction of something else', async () => {
    const { account, ledgerAccountId, token } = await linked();
    await send(balance(ledgerAccountId, '1000', 1));
    const id = await service.approved(token, '300');
    await service.act(id, 'captures', { amount: usd('100') });
    for (const reference of [null, 'order-1', id, randomUUID()])
      await send(posted(ledgerAccountId, '50', '950', 2, reference));
    expect(await service.account(account)).toMatchObject({
      balance: '950',
      unposted: '100',
      held: '200',
      openToBuy: '650',
    });
    await send(posted(ledgerAccountId, '50', '1000', 3, null, 'transaction.reversed.v1'));
    expect((await service.account(account)).balance).toBe('1000');
  });
});
