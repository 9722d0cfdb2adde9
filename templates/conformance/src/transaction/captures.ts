import { randomUUID } from 'node:crypto';
import { group } from '../checks';
import type { Client } from '../client';
import { approved, message, spender, usd } from '../authorization/desk';
import { equal, eventually, must } from '../expect';
import { all, balance, transfer, wallet } from './ledger';

/** The event that the authorization service tells of a capture, made from what its API shows. */
function capturedEvent(
  event: any,
  authorization: any,
  ledgerAccountId: string,
) {
  return {
    specversion: '1.0',
    id: event.id,
    source: '/conformance/relay',
    type: 'authorization.captured.v1',
    time: event.createdAt,
    datacontenttype: 'application/json',
    subject: event.authorizationId,
    data: {
      authorizationId: event.authorizationId,
      eventId: event.id,
      networkRef: event.networkRef,
      cardId: authorization.cardId,
      spendAccountId: authorization.spendAccountId,
      ledgerAccountId,
      seq: event.seq,
      kind: event.kind,
      amount: event.amount,
      createdAt: event.createdAt,
      final: event.final,
      overdrawn: event.overdrawn,
      authorization: event.authorization,
    },
  };
}

/** The event that the ledger tells of a transaction, made from what its API shows. */
function postedEvent({ reversal, resolution, ...transaction }: any) {
  return {
    specversion: '1.0',
    id: randomUUID(),
    source: '/conformance/relay',
    type: 'transaction.posted.v1',
    time: transaction.createdAt,
    datacontenttype: 'application/json',
    subject: transaction.id,
    data: transaction,
  };
}

const send = (client: Client, event: unknown) =>
  client.post('/v1/events', event, { key: null });

/** What the captures of an authorization took from an account of the ledger. */
async function postedOf(client: Client, id: string, account: string) {
  const posted = await all(client, `/v1/transactions?externalRef=${id}`);
  const sum = posted
    .flatMap(transaction => transaction.legs)
    .filter((leg: any) => leg.accountId === account)
    .reduce(
      (total: bigint, leg: any) =>
        total +
        (leg.direction === 'debit' ? 1n : -1n) * BigInt(leg.amount.value),
      0n,
    );
  return { posted, sum };
}

/** Both services together: money that was captured with a card is in the books, once. */
export const captureChecks = group('captures in the ledger', {
  'R6: what was captured is posted, and the authorization service learns it': {
    timeout: 300_000,
    skip: ({ other }) =>
      other ? undefined : 'needs both services: set AUTHORIZATION_BASE_URL',
    run: async ({ client, other, settings }) => {
      // In this order: a service hears of balances from when it knows the account.
      const { cash, wallet: ledgerAccountId } = await wallet(client, 0n);
      const who = await spender(other!, { funds: '0', ledgerAccountId });
      await transfer(client, cash, ledgerAccountId, 10_000n);
      const tellTheBalance = async () => {
        if (!settings.relay) return;
        const now = await balance(client, ledgerAccountId);
        const {
          accountId,
          currency,
          posted,
          pending,
          available,
          debitsPosted,
          creditsPosted,
          version,
        } = now;
        await send(other!, {
          specversion: '1.0',
          id: randomUUID(),
          source: '/conformance/relay',
          type: 'balance.changed.v1',
          time: new Date().toISOString(),
          datacontenttype: 'application/json',
          subject: accountId,
          data: {
            accountId,
            currency,
            normalSide: 'credit',
            posted,
            pending,
            available,
            debitsPosted,
            creditsPosted,
            version,
          },
        });
      };
      await tellTheBalance();
      await eventually(
        'the balance of the ledger at the authorization service',
        async () =>
          (
            await other!.expect(200, 'GET', `/v1/spend-accounts/${who.account}`)
          ).balance === '10000'
            ? true
            : undefined,
        { timeout: settings.patience },
      );

      const authorizations = [];
      for (const parts of [['1000'], ['300', '200'], ['1', '2', '3']]) {
        const { id } = await approved(other!, who, '1500');
        for (const [i, part] of parts.entries())
          await message(other!, id, 'captures', {
            amount: usd(part),
            final: i === parts.length - 1,
          });
        authorizations.push(
          await other!.expect(200, 'GET', `/v1/authorizations/${id}`),
        );
      }

      if (settings.relay) {
        const events = [];
        for (const authorization of authorizations) {
          const { items } = await other!.expect(
            200,
            'GET',
            `/v1/authorizations/${authorization.id}/events`,
          );
          for (const event of items)
            if (['CAPTURED', 'FORCE_POSTED'].includes(event.kind))
              events.push(capturedEvent(event, authorization, ledgerAccountId));
        }
        // As a broker may: the last first, each of them twice, and some at once.
        for (const event of [...events].reverse()) {
          const answers = await Promise.all([
            send(client, event),
            send(client, event),
          ]);
          equal(
            answers.map(answer => answer.body.outcome).sort(),
            ['duplicate', 'processed'],
            'the outcomes of one event that came twice',
          );
        }
      }

      for (const authorization of authorizations) {
        const { posted } = await eventually(
          `R6: the captures of authorization ${authorization.id} in the ledger`,
          async () => {
            const found = await postedOf(
              client,
              authorization.id,
              ledgerAccountId,
            );
            must(
              found.sum <= BigInt(authorization.captured),
              `R6: ${found.sum} is posted, ${authorization.captured} was captured of ${authorization.id}`,
            );
            return found.sum === BigInt(authorization.captured)
              ? found
              : undefined;
          },
          { timeout: settings.patience },
        );
        if (settings.relay)
          for (const transaction of [...posted, ...posted])
            await send(other!, postedEvent(transaction));
      }
      const now = await eventually(
        'R6: every capture known as posted at the authorization service',
        async () => {
          const found = await other!.expect(
            200,
            'GET',
            `/v1/spend-accounts/${who.account}`,
          );
          return found.unposted === '0' ? found : undefined;
        },
        { timeout: settings.patience },
      );
      equal(
        [
          now.balance,
          now.held,
          (await balance(client, ledgerAccountId)).posted,
        ],
        ['8494', '0', '8494'],
        'R6: balance and hold of the spend account, and the posted balance of the ledger',
      );
    },
  },
});
