import { formatMinor } from '../platform/money.ts';
import { ProblemError, PROBLEMS, type ProblemCode } from '../platform/problems.ts';

/** What the ledger's functions say when they decide against a request; kept with the Idempotency-Key. */
export type Refusal = {
  code: string;
  /** The leg of the request that it failed on, from 1. */
  leg?: number;
  /** A line of the transaction that was to be settled. */
  line?: number;
  accountId?: string;
  currency?: string;
  available?: string | null;
  minAvailable?: string | null;
  requested?: string;
  remaining?: string | null;
  kind?: string;
  transactionId?: string;
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
      return `Account ${accountId} still holds money or has pending transactions; settle them and bring its balance to zero first.`;
    case 'currency-mismatch':
      return `Account ${accountId} is kept in ${currency}.`;
    case 'limit-exceeded':
      return `The turnover of account ${accountId} would leave the range of 64-bit minor units.`;
    case 'insufficient-funds': {
      const money = (value: string) => `${formatMinor(BigInt(value), currency!)} ${currency}`;
      return `Account ${accountId} has ${money(refusal.available!)} available, and may not go below ${money(refusal.minAvailable!)}.`;
    }
    case 'already-reversed':
      return refusal.requested === undefined
        ? 'The transaction is reversed in full already.'
        : `Line ${refusal.line} has ${refusal.remaining ?? '0'} left to reverse; ${refusal.requested} was asked for.`;
    case 'not-reversible':
      return refusal.kind === 'reversal'
        ? 'A reversal cannot be reversed; post a new transaction.'
        : 'It moved no money, so there is nothing to take back; void what is pending.';
    case 'not-pending':
      return `This transaction is a ${refusal.kind}; only a pending one can be posted or voided.`;
    case 'already-resolved':
      return `Transaction ${refusal.transactionId} settled it already.`;
    case 'pending-expired':
      return 'The pending transaction has expired; post a new one.';
    case 'pending-exceeded':
      return `Line ${refusal.line} holds ${refusal.remaining ?? '0'}; ${refusal.requested} was asked for.`;
    default:
      return 'There is no such resource.';
  }
}

/** The problem to answer with. `base` stands before pointers into the request: `/items/3` in a batch. */
export function toRefusal(refusal: Refusal, replayed: boolean, base = ''): ProblemError {
  const code = refusal.code in PROBLEMS ? (refusal.code as ProblemCode) : 'internal';
  const detail = describe(refusal);
  const errors =
    refusal.leg === undefined ? [] : [{ pointer: `${base}/legs/${refusal.leg - 1}`, code, message: detail }];
  return new ProblemError(code, detail, { replayed, errors });
}
