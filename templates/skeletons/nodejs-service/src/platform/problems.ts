/**
 * The errors of the golden services (RFC 9457). `contracts/problems.yaml` is the same catalogue for people and other languages;
 * a test keeps the two equal.
 */
export const PROBLEMS = {
  'validation-failed': { status: 400, title: 'The request is not valid' },
  'malformed-json': { status: 400, title: 'The body is not valid JSON' },
  'idempotency-key-missing': { status: 400, title: 'The Idempotency-Key header is missing' },
  unauthenticated: { status: 401, title: 'The caller is not known' },
  forbidden: { status: 403, title: 'The caller may not do this' },
  'not-found': { status: 404, title: 'There is no such resource' },
  'route-not-found': { status: 404, title: 'There is no such endpoint' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'idempotency-conflict': { status: 409, title: 'A request with this Idempotency-Key is still running' },
  'account-frozen': { status: 409, title: 'The account is frozen' },
  'account-closed': { status: 409, title: 'The account is closed' },
  'account-not-empty': { status: 409, title: 'The account is not empty' },
  'already-reversed': { status: 409, title: 'There is not that much left to reverse' },
  'not-reversible': { status: 409, title: 'This transaction cannot be reversed' },
  'not-pending': { status: 409, title: 'This transaction is not a pending one' },
  'already-resolved': { status: 409, title: 'The pending transaction is settled already' },
  'pending-expired': { status: 409, title: 'The pending transaction has expired' },
  'audit-not-sealed': { status: 409, title: 'The transaction is not sealed yet' },
  'already-exists': { status: 409, title: 'There is one already' },
  'authorization-not-open': { status: 409, title: 'The authorization is not open' },
  'card-closed': { status: 409, title: 'The card is closed' },
  'precondition-failed': { status: 412, title: 'It was changed in between' },
  'payload-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json' },
  'idempotency-mismatch': { status: 422, title: 'The Idempotency-Key was used for another request' },
  'idempotency-key-expired': { status: 422, title: 'The Idempotency-Key is too old' },
  'account-unknown': { status: 422, title: 'The request names an account that does not exist' },
  'currency-mismatch': { status: 422, title: 'The currency is not that of the account' },
  'insufficient-funds': { status: 422, title: 'The account has not enough available funds' },
  'limit-exceeded': { status: 422, title: 'A balance would become too large' },
  'pending-exceeded': { status: 422, title: 'More than what is pending' },
  'network-ref-mismatch': { status: 422, title: 'The networkRef was used for another authorization' },
  'capture-exceeds-authorization': { status: 422, title: 'More than may be captured' },
  'rule-set-unknown': { status: 422, title: 'There is no such rule set' },
  'precondition-required': { status: 428, title: 'If-Match is missing' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'Something went wrong in the service' },
  overloaded: { status: 503, title: 'The service is busy' },
  'database-unavailable': { status: 503, title: 'The database does not answer' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** One wrong field. `pointer` is a JSON Pointer into the body, or `#/query/x`, `#/path/x`, `#/header/x`. */
export type FieldError = { pointer: string; code: string; message: string };

type Extra = { errors?: FieldError[]; retryAfterSeconds?: number; replayed?: boolean; cause?: unknown };

/** Thrown anywhere below a route; the error handler turns it into `application/problem+json`. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly errors: FieldError[];
  readonly retryAfterSeconds: number | undefined;
  /** A decision that was kept with the Idempotency-Key and is given again. */
  readonly replayed: boolean;

  constructor(code: ProblemCode, detail: string, extra: Extra = {}) {
    super(detail, { cause: extra.cause });
    this.name = 'ProblemError';
    this.code = code;
    this.status = PROBLEMS[code].status;
    this.errors = extra.errors ?? [];
    this.retryAfterSeconds = extra.retryAfterSeconds;
    this.replayed = extra.replayed ?? false;
  }
}

/** The request is wrong in one field. */
export function invalid(pointer: string, code: string, message: string): ProblemError {
  return new ProblemError('validation-failed', `${pointer} ${message}`, { errors: [{ pointer, code, message }] });
}
