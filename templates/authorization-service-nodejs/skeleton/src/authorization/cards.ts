import type { Database } from '../platform/db/database.ts';
import type { Caller, Decided } from '../platform/http/idempotency.ts';
import { expectedVersion, type Precondition } from './preconditions.ts';
import { fingerprint, uuidv7 } from '../platform/ids.ts';
import { invalid } from '../platform/problems.ts';
import { knownCurrency, notFound, run, toDecided, type Row } from './decisions.ts';
import type { Card, CardLimits, NewCard, NewCardStatus, NewSpendAccount, SpendAccount } from './setting-schemas.ts';
import * as sql from './statements.ts';

/** Spend accounts and cards: what decisions are made about. */
export class Cards {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  openSpendAccount(caller: Caller, account: NewSpendAccount): Promise<Decided<SpendAccount>> {
    knownCurrency(account.currency, '/currency');
    return run<SpendAccount>(this.#database, sql.OPEN_SPEND_ACCOUNT, [
      caller.clientId,
      caller.idempotencyKey,
      fingerprint('spend-accounts', account),
      uuidv7(),
      account.currency,
      account.creditLimit ?? '0',
      account.ledgerAccountId ?? null,
      account.ledgerSide ?? 'credit',
      JSON.stringify(account.metadata ?? {}),
    ]);
  }

  async spendAccount(id: string): Promise<SpendAccount> {
    const [row] = await this.#database.run<{ body: SpendAccount }>(sql.SPEND_ACCOUNT, [id]);
    if (row === undefined) throw notFound('spend account', id);
    return row.body;
  }

  setCreditLimit(clientId: string, id: string, precondition: Precondition, creditLimit: string): Promise<SpendAccount> {
    return this.#put<SpendAccount>(sql.SET_CREDIT_LIMIT, [clientId, id, expected(precondition), creditLimit]);
  }

  addCard(caller: Caller, card: NewCard): Promise<Decided<Card>> {
    if (holdsCardNumber(card.token)) {
      throw invalid('/token', 'card-number', 'looks like a card number; send the token of your vault');
    }
    return run<Card>(this.#database, sql.ADD_CARD, [
      caller.clientId,
      caller.idempotencyKey,
      fingerprint('cards', card),
      uuidv7(),
      card.token,
      card.spendAccountId,
      card.expiresOn,
      card.ruleSetId ?? 'default',
      JSON.stringify(card.limits ?? {}),
      JSON.stringify(card.metadata ?? {}),
    ]);
  }

  async card(id: string): Promise<Card> {
    const [row] = await this.#database.run<{ body: Card }>(sql.CARD, [id]);
    if (row === undefined) throw notFound('card', id);
    return row.body;
  }

  setCardStatus(caller: Caller, id: string, change: NewCardStatus): Promise<Decided<Card>> {
    const print = fingerprint(`cards/${id}/status`, change);
    const values = [caller.clientId, caller.idempotencyKey, print, id, change.status, change.reason];
    return run<Card>(this.#database, sql.SET_CARD_STATUS, values);
  }

  setCardLimits(clientId: string, id: string, precondition: Precondition, limits: CardLimits): Promise<Card> {
    return this.#put<Card>(sql.SET_CARD_LIMITS, [clientId, id, expected(precondition), JSON.stringify(limits)]);
  }

  async #put<T>(statement: typeof sql.SET_CARD_LIMITS, values: unknown[]): Promise<T> {
    const [row] = await this.#database.run<Row>(statement, values);
    return toDecided<T>(row).body;
  }
}

function expected(precondition: Precondition): number | null {
  if (precondition.expect === 'none')
    throw invalid('#/header/If-None-Match', 'unsupported', 'cannot be used here; send If-Match');
  return expectedVersion(precondition);
}

/**
 * Whether a token is a card number in disguise: 13 to 19 digits that pass the check of Luhn, with letters before or after them at most.
 * A random token has digits and letters mixed, so it does not look like one.
 */
export function holdsCardNumber(token: string): boolean {
  const digits = /^[A-Za-z_]*([0-9]{13,19})[A-Za-z_]*$/.exec(token.replaceAll('-', ''))?.[1];
  return digits !== undefined && luhn(digits);
}

function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
