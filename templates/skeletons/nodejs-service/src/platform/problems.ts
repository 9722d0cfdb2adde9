import { PROBLEMS } from './problemCatalogue.ts';

export { PROBLEMS };

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
