import { createHash } from 'node:crypto';
import type { Consumer } from '../platform/events/inbox.ts';
import { fingerprint } from '../platform/ids.ts';
import { ProblemError } from '../platform/problems.ts';
import type { LedgerClock } from './clock.ts';
import { postBatch, type Run } from './post.ts';
import { knownCurrency, toInstant } from './postings.ts';
import { toRefusal } from './refusals.ts';
import * as sql from './statements.ts';

/** What of `authorization.captured.v1` is posted; the schema of the type has been checked. */
type Captured = {
  authorizationId: string;
  /** Of the capture: the authorization service knows by it which of its captures is posted. */
  eventId?: string;
  networkRef: string;
  ledgerAccountId: string | null;
  seq: number;
  amount: { value: string; currency: string };
  createdAt: string;
};

/** Currency code to the account that captured money goes to. For other currencies the service has one of its own. */
export type SettlementAccounts = ReadonlyMap<string, string>;

/**
 * Posts what an authorization service has captured: from the account of the card to the settlement account of the currency, with the id
 * of the authorization as external reference. Inbox, transaction and the answer to its key are written in one transaction, so the money
 * moves once however often the event comes. What is refused is not taken: the event may be sent again when the reason is gone.
 */
export function capturedConsumer(clock: LedgerClock, keyHours: number, accounts: SettlementAccounts): Consumer {
  return {
    type: 'authorization.captured.v1',
    async handle(event, client) {
      const data = event.data as unknown as Captured;
      const { value, currency } = data.amount;
      knownCurrency(currency, '/data/amount/currency');
      // Of a card that is not kept in this ledger: it can never be posted, so it would only come again and again.
      if (data.ledgerAccountId === null) return 'ignored';
      const run: Run = async (statement, values) => (await client.query({ ...statement, values })).rows;
      const settlement = accounts.get(currency) ?? (await ownSettlementAccount(run, currency));
      const amount = BigInt(value);
      const [result] = await postBatch(run, clock, { hours: keyHours }, [
        {
          caller: { clientId: event.source, idempotencyKey: `event:${event.id}` },
          print: fingerprint('events', [event.type, data]),
          isBatch: false,
          postings: [
            {
              kind: 'posting',
              currency,
              externalRef: data.authorizationId,
              effectiveAt: toInstant(data.createdAt, '/data/createdAt'),
              expiresAt: null,
              metadata: JSON.stringify({ networkRef: data.networkRef, seq: String(data.seq), eventId: data.eventId }),
              legs: [
                { accountId: data.ledgerAccountId.toLowerCase(), amount, currency },
                { accountId: settlement, amount: -amount, currency },
              ],
            },
          ],
        },
      ]);
      if (result!.state === 'mismatch') {
        throw new ProblemError('validation-failed', 'An event with this id was told before, with other data.');
      }
      // Posted so long ago that the inbox no longer knows it.
      if (result!.state !== 'decided') return;
      const [item] = result!.items;
      if ('refusal' in item!) throw toRefusal(item.refusal, false, '/data');
    },
  };
}

/** An id that is the same wherever and whenever it is computed (UUIDv8, RFC 9562). */
function idOf(name: string): string {
  const bytes = createHash('sha256').update(name).digest().subarray(0, 16);
  bytes[6] = 0x80 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Opens the service's own settlement account of a currency at its first capture. Who comes at the same time waits and finds it. */
async function ownSettlementAccount(run: Run, currency: string): Promise<string> {
  const name = `Settlement of captures, ${currency}`;
  const id = idOf(name);
  if ((await run(sql.ACCOUNT, [id])).length === 0) {
    const metadata = JSON.stringify({ role: 'settlement' });
    const owner = ['ledger', `settlement-account:${currency}`, fingerprint('accounts', name), false];
    await run(sql.OPEN_ACCOUNT, [...owner, id, name, 'liability', 'credit', currency, null, metadata]);
  }
  return id;
}
