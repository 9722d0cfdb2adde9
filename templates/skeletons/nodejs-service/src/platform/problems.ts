/**
 * The errors of this service (RFC 9457). `contracts/problems.yaml` is the same catalogue for people and other languages;
 * a test keeps the two equal.
 */
export const PROBLEMS = {
  'validation-failed': { status: 400, title: 'The request is not valid' },
  'malformed-json': { status: 400, title: 'The body is not valid JSON' },
  'idempotency-key-missing': { status: 400, title: 'The Idempotency-Key header is missing' },
  'not-found': { status: 404, title: 'There is no such resource' },
  'route-not-found': { status: 404, title: 'There is no such endpoint' },
  'idempotency-conflict': { status: 409, title: 'A request with this Idempotency-Key is still running' },
  'account-frozen': { status: 409, title: 'The account is frozen' },
  'account-closed': { status: 409, title: 'The account is closed' },
  'account-not-empty': { status: 409, title: 'The account is not empty' },
  'already-reversed': { status: 409, title: 'There is not that much left to reverse' },
  'not-reversible': { status: 409, title: 'This transaction cannot be reversed' },
  'payload-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json' },
  'idempotency-mismatch': { status: 422, title: 'The Idempotency-Key was used for another request' },
  'account-unknown': { status: 422, title: 'A leg names an account that does not exist' },
  'currency-mismatch': { status: 422, title: 'The currency is not that of the account' },
  'insufficient-funds': { status: 422, title: 'The account has not enough available funds' },
  'limit-exceeded': { status: 422, title: 'A balance would become too large' },
  overloaded: { status: 503, title: 'The service is busy' },
  'database-unavailable': { status: 503, title: 'The database does not answer' },
  internal: { status: 500, title: 'Something went wrong in the service' },
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
