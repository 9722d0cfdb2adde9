import { Type } from 'typebox';
import { invalid } from '../problems.ts';

/** Keyset paging: a cursor holds the key of the last item, never an offset. */
export type Page<T> = { items: T[]; nextCursor: string | null };

export const Paging = {
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
  cursor: Type.Optional(Type.String({ maxLength: 200, description: 'nextCursor of the page before' })),
};

export function encodeCursor(text: string): string {
  return Buffer.from(text).toString('base64url');
}

/** The key in a cursor. Throws validation-failed for a text that no page of ours ended with. */
export function decodeCursor(cursor: string, pattern: RegExp): string {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!pattern.test(text)) throw invalid('#/query/cursor', 'invalid', 'is not a cursor that this service gave out');
  return text;
}

/** The first `limit` of the rows, which are read with a limit one higher; the one too many says that there is a next page. */
export function page<T>(rows: { body: T }[], limit: number, keyOf: (item: T) => string): Page<T> {
  const items = rows.slice(0, limit).map(row => row.body);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null };
}
