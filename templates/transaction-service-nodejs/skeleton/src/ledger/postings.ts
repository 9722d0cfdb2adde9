import { CURRENCY_EXPONENTS } from '../platform/money.ts';
import { invalid } from '../platform/problems.ts';
import type { NewTransaction } from './schemas.ts';

/** A debit is above zero, a credit below. */
export type PostingLeg = { accountId: string; amount: bigint; currency: string };

/** A request to post that is right in itself; whether the accounts take it is for the database to say. */
export type Posting = {
  kind: 'posting' | 'fx' | 'pending';
  /** Null when there is more than one. */
  currency: string | null;
  externalRef: string | null;
  /** UTC with six digits; null: the time of writing. */
  effectiveAt: string | null;
  expiresAt: string | null;
  /** JSON text. */
  metadata: string;
  legs: PostingLeg[];
};

const LONGEST_PENDING = 366 * 24 * 3_600_000;
const INSTANT = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:?\d\d)$/;

/**
 * An RFC 3339 time in UTC with six digits of fraction; further digits are cut off. Throws validation-failed for one that no calendar
 * has, or that is outside the years 1900 to 2999.
 */
export function toInstant(text: string, pointer: string): string {
  const [, date, time, fraction = '', zone] = INSTANT.exec(text) ?? [];
  const milliseconds = date === undefined ? NaN : Date.parse(`${date}T${time}${zone!.toUpperCase()}`);
  if (Number.isNaN(milliseconds)) throw invalid(pointer, 'date-time', 'is not a moment in time');
  const whole = new Date(milliseconds).toISOString();
  if (whole < '1900' || whole >= '3000') throw invalid(pointer, 'range', 'must be in the years 1900 to 2999');
  return `${whole.slice(0, 19)}.${fraction.slice(0, 6).padEnd(6, '0')}Z`;
}

export function knownCurrency(code: string, pointer: string): void {
  if (!CURRENCY_EXPONENTS.has(code)) throw invalid(pointer, 'unknown-currency', `${code} is not an ISO 4217 currency`);
}

/** Throws validation-failed unless the amounts are zero per currency. Returns the currencies. */
export function mustBalance(legs: readonly { amount: bigint; currency: string }[], pointer: string): string[] {
  const sums = new Map<string, bigint>();
  for (const { amount, currency } of legs) sums.set(currency, (sums.get(currency) ?? 0n) + amount);
  for (const [currency, sum] of sums) {
    if (sum === 0n) continue;
    const more = sum > 0n ? 'debits' : 'credits';
    const difference = sum > 0n ? sum : -sum;
    throw invalid(pointer, 'unbalanced', `are not balanced: ${more} in ${currency} are ${difference} higher`);
  }
  return [...sums.keys()];
}

/** Checks what needs no database. `base` stands before the pointers: `/items/3` in a batch. */
export function toPosting(transaction: NewTransaction, base = ''): Posting {
  const legs = transaction.legs.map((leg, i) => {
    knownCurrency(leg.amount.currency, `${base}/legs/${i}/amount/currency`);
    const amount = BigInt(leg.amount.value);
    return {
      accountId: leg.accountId.toLowerCase(),
      amount: leg.direction === 'debit' ? amount : -amount,
      currency: leg.amount.currency,
    };
  });
  const currencies = mustBalance(legs, `${base}/legs`);
  const { pending, effectiveAt } = transaction;
  const kind = pending !== undefined ? 'pending' : currencies.length > 1 ? 'fx' : 'posting';
  if (transaction.kind !== undefined && transaction.kind !== kind) {
    throw invalid(`${base}/kind`, 'kind', `must be ${kind} for such a transaction, or be left out`);
  }
  return {
    kind,
    currency: currencies.length === 1 ? currencies[0]! : null,
    externalRef: transaction.externalRef ?? null,
    effectiveAt: effectiveAt === undefined ? null : toInstant(effectiveAt, `${base}/effectiveAt`),
    expiresAt: pending === undefined ? null : toInstant(pending.expiresAt, `${base}/pending/expiresAt`),
    metadata: transaction.metadata === undefined ? '{}' : JSON.stringify(transaction.metadata),
    legs,
  };
}

/** Throws validation-failed for an end that is over or too far away. Only for requests that are new: a repetition may come later. */
export function mustExpireInTime(posting: Posting, now: number, base = ''): void {
  if (posting.expiresAt === null) return;
  const end = Date.parse(posting.expiresAt);
  const pointer = `${base}/pending/expiresAt`;
  if (end <= now) throw invalid(pointer, 'past', 'must be in the future');
  if (end > now + LONGEST_PENDING) throw invalid(pointer, 'too-far', 'must be within 366 days');
}
