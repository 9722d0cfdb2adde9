import type { Consumer } from '../platform/events/inbox.ts';
import { fingerprint } from '../platform/ids.ts';
import { invalid, ProblemError } from '../platform/problems.ts';
import type { LedgerClock } from './clock.ts';
import { postBatch, type Run } from './post.ts';
import { knownCurrency, toInstant } from './postings.ts';
import { toRefusal } from './refusals.ts';

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

/** Currency code to the account that captured money goes to. */
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
      if (data.ledgerAccountId === null) {
        throw invalid('/data/ledgerAccountId', 'required', 'is null: there is no account to take the money from');
      }
      const settlement = accounts.get(currency);
      if (settlement === undefined) {
        throw new ProblemError(
          'account-unknown',
          `There is no settlement account for ${currency}; see SETTLEMENT_ACCOUNTS.`,
        );
      }
      const run: Run = async (statement, values) => (await client.query({ ...statement, values })).rows;
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
