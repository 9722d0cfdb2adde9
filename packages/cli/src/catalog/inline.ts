import { realpathSync } from 'node:fs';
import path from 'node:path';
import { parseDocument } from 'yaml';
import { InputFileError } from '../errors';
import { readBounded } from '../files';
import { isInside } from './collect';
import { type FieldPath, LIMITS } from './documents';

const PLACEHOLDERS = ['$text', '$json', '$yaml'];

/** A placeholder that cannot be put in. */
export class PlaceholderError extends Error {
  readonly field: FieldPath;

  constructor(field: FieldPath, message: string) {
    super(`${field.join('.')}: ${message}`);
    this.name = 'PlaceholderError';
    this.field = field;
  }
}

function readAs(how: string, file: string, shown: string): unknown {
  const text = readBounded(file, LIMITS.bytes, shown).text();
  if (how === '$text') return text;
  if (how === '$json') return JSON.parse(text);
  const document = parseDocument(text, { merge: true, prettyErrors: false });
  if (document.errors.length > 0) throw document.errors[0];
  return document.toJS({ maxAliasCount: LIMITS.aliases });
}

/**
 * The value with `$text`, `$json` and `$yaml` replaced by what is in the files they name, for the registry fetches nothing.
 *
 * @param value - of a depth that was checked
 * @param folder - that the names are relative to
 * @param root - the repository; a file outside of it, also by a symbolic link, is refused
 * @throws PlaceholderError that names the field and the file
 */
export function inline(
  value: unknown,
  folder: string,
  root: string,
  at: FieldPath = [],
): unknown {
  if (Array.isArray(value))
    return value.map((item, index) =>
      inline(item, folder, root, [...at, index]),
    );
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value);
  const [key, target] = entries[0] ?? [];
  if (entries.length !== 1 || !PLACEHOLDERS.includes(key))
    return Object.fromEntries(
      entries.map(([name, item]) => [
        name,
        inline(item, folder, root, [...at, name]),
      ]),
    );
  if (typeof target !== 'string')
    throw new PlaceholderError(at, `${key} must name a file`);
  const file = path.resolve(folder, target);
  const outside = `${key} must name a file of this repository, not ${target}`;
  if (/^[a-z][a-z0-9+.-]*:/i.test(target) || !isInside(root, file))
    throw new PlaceholderError(at, outside);
  try {
    if (!isInside(realpathSync(root), realpathSync(file)))
      throw new PlaceholderError(at, outside);
    return readAs(key, file, target);
  } catch (error) {
    if (error instanceof PlaceholderError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new PlaceholderError(
        at,
        `${key} names ${target}, which does not exist`,
      );
    if (error instanceof InputFileError)
      throw new PlaceholderError(at, `${key} ${error.message}`);
    throw new PlaceholderError(
      at,
      `${key} cannot read ${target}: ${(error as Error).message
        .replace(/\s+/g, ' ')
        .slice(0, 300)}`,
    );
  }
}
