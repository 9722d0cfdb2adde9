import { formatMinor } from '../platform/money.ts';
import { ProblemError, PROBLEMS, type ProblemCode } from '../platform/problems.ts';

/** What the functions in migrations/ say when they decide against a request; kept with the Idempotency-Key. */
export type Refusal = {
  status: number;
  code: string;
  field?: string;
  id?: string;
  networkRef?: string;
  currency?: string;
  state?: string;
  message?: string;
  held?: string;
  captured?: string;
  limit?: string;
  version?: number | null;
};

function describe(refusal: Refusal): string {
  const { currency = '' } = refusal;
  const money = (value: string) => `${formatMinor(BigInt(value), currency)} ${currency}`;
  switch (refusal.code) {
    case 'not-found':
      return `There is no ${refusal.networkRef === undefined ? `resource ${refusal.id}` : `authorization for ${refusal.networkRef}`}.`;
    case 'network-ref-mismatch':
      return `${refusal.networkRef} belongs to an authorization with another body.`;
    case 'authorization-not-open':
      return `The authorization is ${refusal.state}; ${refusal.message} is not possible.`;
    case 'already-reversed':
      return `The authorization is ${refusal.state} and holds ${money(refusal.held!)}; there is not that much to reverse.`;
    case 'capture-exceeds-authorization':
      return `${money(refusal.captured!)} of at most ${money(refusal.limit!)} are captured already.`;
    case 'currency-mismatch':
      return `It must be ${currency}.`;
    case 'account-unknown':
      return `There is no spend account ${refusal.id}.`;
    case 'rule-set-unknown':
      return `There is no rule set ${refusal.id} that is active.`;
    case 'already-exists':
      return `${refusal.field} is taken.`;
    case 'card-closed':
      return `Card ${refusal.id} is closed; that is final.`;
    case 'precondition-failed':
      return refusal.version === undefined || refusal.version === null
        ? 'There is no version yet; send If-None-Match: *.'
        : `The latest version is "${refusal.version}"; read it again.`;
    default:
      return `${refusal.code}.`;
  }
}

/** The refusal as a problem. `pointer` says which field it is about when the refusal does not say so itself. */
export function toRefusal(refusal: Refusal, replayed: boolean, pointer?: string): ProblemError {
  const code = refusal.code in PROBLEMS ? (refusal.code as ProblemCode) : 'internal';
  const detail = describe(refusal);
  const field = refusal.field ?? pointer;
  return new ProblemError(code, detail, {
    replayed,
    ...(field === undefined ? {} : { errors: [{ pointer: field, code, message: detail }] }),
  });
}
