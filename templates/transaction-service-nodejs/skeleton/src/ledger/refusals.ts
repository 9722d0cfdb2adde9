import { formatMinor } from '../platform/money.ts';
import { ProblemError, PROBLEMS, type ProblemCode } from '../platform/problems.ts';

/** What the ledger's functions say when they decide against a request; kept with the Idempotency-Key. */
export type Refusal = {
  code: string;
  line?: number;
  accountId?: string;
  currency?: string;
  available?: string | null;
  minAvailable?: string | null;
  change?: string;
  requested?: string;
  remaining?: string | null;
};

function describe(refusal: Refusal): string {
  const { accountId, currency } = refusal;
  switch (refusal.code) {
    case 'account-unknown':
      return `There is no account ${accountId}.`;
    case 'account-frozen':
      return `Account ${accountId} is frozen; nothing can be posted to it.`;
    case 'account-closed':
      return `Account ${accountId} is closed; that is final.`;
    case 'account-not-empty':
      return `Account ${accountId} still holds money; bring its balance to zero first.`;
    case 'currency-mismatch':
      return `Account ${accountId} is kept in ${currency}.`;
    case 'insufficient-funds': {
      const money = (value: string) => `${formatMinor(BigInt(value), currency!)} ${currency}`;
      return `Account ${accountId} has ${money(refusal.available!)} available, and may not go below ${money(refusal.minAvailable!)}.`;
    }
    case 'already-reversed':
      return refusal.requested === undefined
        ? 'The transaction is reversed in full already.'
        : `Line ${refusal.line} has ${refusal.remaining ?? '0'} left to reverse; ${refusal.requested} was asked for.`;
    case 'not-reversible':
      return 'A reversal cannot be reversed; post a new transaction.';
    default:
      return 'There is no such resource.';
  }
}

/** The problem to answer with. */
export function toRefusal(refusal: Refusal, replayed: boolean): ProblemError {
  const code = refusal.code in PROBLEMS ? (refusal.code as ProblemCode) : 'internal';
  const pointer = refusal.line === undefined || refusal.change === undefined ? undefined : `/legs/${refusal.line - 1}`;
  const detail = describe(refusal);
  return new ProblemError(code, detail, {
    replayed,
    ...(pointer === undefined ? {} : { errors: [{ pointer, code, message: detail }] }),
  });
}
