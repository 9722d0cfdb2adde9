import type pg from 'pg';
import { Counter, type Registry } from 'prom-client';
import type { CloudEvent } from '../platform/events/event.ts';
import type { Consumer } from '../platform/events/inbox.ts';
import * as sql from './statements.ts';

/** The balance of an account after an entry, positive on its normal side. moved: debits positive. */
type Fact = { accountId: string; balance: string; version: number; moved: string };

type Leg = {
  accountId: string;
  direction: 'debit' | 'credit';
  amount: { value: string };
  balanceAfter: string | null;
  accountVersion: number | null;
};
type Transaction = { id: string; metadata: Record<string, string>; legs: Leg[] };
type Balance = { accountId: string; posted: string; version: number };

/**
 * Facts of the ledger. Both kinds of events carry the balance of an account with its version, so whatever comes twice, late or in
 * another order ends in the same balance: the one of the highest version. A transaction whose metadata name the id of a capture
 * (`eventId` of authorization.captured.v1) is that capture's posting: from then on the amount is part of the balance.
 */
export class LedgerEvents {
  readonly #outcomes: Counter;

  constructor(registry: Registry) {
    this.#outcomes = new Counter({
      name: 'ledger_events_total',
      help: 'Events of the ledger by what they did: applied; outdated: a newer balance was known; ignored: of no account of ours.',
      labelNames: ['type', 'outcome'],
      registers: [registry],
    });
  }

  consumers(): Consumer[] {
    return ['transaction.posted.v1', 'transaction.reversed.v1', 'balance.changed.v1'].map(type => ({
      type,
      handle: (event, client) => this.#handle(event, client),
    }));
  }

  async #handle(event: CloudEvent, client: pg.ClientBase): Promise<void> {
    const facts = factsOf(event);
    const transaction = event.type === 'balance.changed.v1' ? undefined : (event.data as Transaction);
    const { rows } = await client.query<{ outcome: string }>({
      ...sql.LEDGER_FACT,
      values: [
        facts.map(fact => fact.accountId),
        facts.map(fact => fact.balance),
        facts.map(fact => fact.version),
        facts.map(fact => fact.moved),
        transaction?.metadata.eventId ?? null,
        transaction?.id ?? null,
      ],
    });
    this.#outcomes.inc({ type: event.type, outcome: rows[0]!.outcome });
  }
}

function factsOf(event: CloudEvent): Fact[] {
  if (event.type === 'balance.changed.v1') {
    const { accountId, posted, version } = event.data as Balance;
    return [{ accountId, balance: posted, version, moved: '0' }];
  }
  const facts: Fact[] = [];
  for (const { accountId, balanceAfter, accountVersion, direction, amount } of (event.data as Transaction).legs) {
    // What is only pending has no balance yet.
    if (balanceAfter === null || accountVersion === null) continue;
    const moved = `${direction === 'debit' ? '' : '-'}${amount.value}`;
    facts.push({ accountId, balance: balanceAfter, version: accountVersion, moved });
  }
  return facts;
}
