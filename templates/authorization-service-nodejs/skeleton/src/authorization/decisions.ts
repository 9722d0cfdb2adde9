import type { Database, Statement } from '../platform/db/database.ts';
import type { Decided } from '../platform/http/idempotency.ts';
import { CURRENCY_EXPONENTS } from '../platform/money.ts';
import { invalid, ProblemError } from '../platform/problems.ts';
import { toRefusal, type Refusal } from './refusals.ts';

/** What the functions in migrations/ answer. */
export type Row = { outcome: string; replayed: boolean; body: unknown };

/** The answer as the caller gets it. Throws the problem that it is. */
export function toDecided<T>(row: Row | undefined, pointer?: string): Decided<T> {
  if (row === undefined) throw new Error('the database answered nothing');
  if (row.outcome === 'mismatch') {
    throw new ProblemError(
      'idempotency-mismatch',
      'This Idempotency-Key belongs to a request with another body. Use a new key.',
    );
  }
  if (row.outcome === 'refused') throw toRefusal(row.body as Refusal, row.replayed, pointer);
  return { replayed: row.replayed, body: row.body as T };
}

/** Runs a function that takes client, key and fingerprint first. */
export async function run<T>(database: Database, statement: Statement, values: unknown[], pointer?: string) {
  const [row] = await database.run<Row>(statement, values);
  return toDecided<T>(row, pointer);
}

export function knownCurrency(code: string, pointer: string): void {
  if (!CURRENCY_EXPONENTS.has(code)) throw invalid(pointer, 'unknown-currency', `${code} is not an ISO 4217 currency`);
}

export function notFound(what: string, id: string): ProblemError {
  return new ProblemError('not-found', `There is no ${what} ${id}.`);
}
