import { z } from 'zod';

// Building blocks of the schemas of a CriticalPath; each error ends a sentence that begins with the field.

const NAME = /^[a-zA-Z0-9]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const DASHED_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** True when the text may be the name or namespace of an entity. */
export function isName(value: string): boolean {
  return value.length <= 63 && NAME.test(value);
}

/** True when the text has the form `[kind:][namespace/]name` of an entity ref. */
export function isEntityRef(value: string): boolean {
  const match = /^(?:([^:/]+):)?(?:([^:/]+)\/)?([^:/]+)$/.exec(value);
  return Boolean(
    match &&
      (match[1] === undefined || /^[a-zA-Z][a-zA-Z0-9]*$/.test(match[1])) &&
      (match[2] === undefined || isName(match[2])) &&
      isName(match[3]),
  );
}

/** An entity ref of one of the kinds (lower case); the kind may be left out. */
export function refText(expected: string, kinds: string[]) {
  const error = `must be an entity ref of ${expected}`;
  return z.string({ error }).refine(
    value => {
      if (!isEntityRef(value)) {
        return false;
      }
      const kind = value.includes(':') ? value.split(':')[0].toLowerCase() : '';
      return kind === '' || kinds.includes(kind);
    },
    { error },
  );
}

/** Text that is not blank. */
export function text(expected: string, max = 253) {
  const error = `must be ${expected}`;
  return z
    .string({ error })
    .refine(v => v.trim().length > 0 && v.length <= max, { error });
}

/** `a, b or c`. */
export function oneOf(values: readonly (string | number)[]): string {
  const words = values.map(String);
  return `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]}`;
}

/** Appends the list of allowed keys, so that a typing error explains itself. */
export function strictObject<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, {
    error: issue =>
      issue.code === 'unrecognized_keys'
        ? `has no field ${issue.keys.join(', ')}; it may have ${oneOf(
            Object.keys(shape),
          )}`
        : 'must be an object',
  });
}

export const positive = (error: string) =>
  z.number({ error }).refine(v => Number.isFinite(v) && v > 0, { error });

const dashedNameError =
  'must be lower-case letters, digits and dashes, at most 63 characters';

/** Name of a step or workflow. */
export const dashedName = z
  .string({ error: dashedNameError })
  .refine(v => v.length <= 63 && DASHED_NAME.test(v), {
    error: dashedNameError,
  });
