import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import { z } from 'zod';

/** A commit id: SHA-1 or SHA-256 in hexadecimal. */
export const COMMIT_PATTERN = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** An artefact's digest. */
export const DIGEST_PATTERN = /^sha256:[0-9a-f]{64}$/;

// Half of a surrogate pair has no UTF-8, and no canonical JSON.
const LONE_SURROGATE =
  /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** False for text that holds half of a surrogate pair, which cannot be written as UTF-8. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

// eslint-disable-next-line no-control-regex
const printable = /^[^\u0000-\u001f\u007f]*$/;

/** One line of text, without the space around it. */
export const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(max, `must be at most ${max} characters long`)
    .regex(printable, 'must be one line without control characters')
    .refine(isWellFormed, 'must be valid Unicode, holds half of a character');

export const commitSchema = z
  .string()
  .toLowerCase()
  .regex(
    COMMIT_PATTERN,
    'must be a full commit id: 40 or 64 hexadecimal digits',
  );

export const digestSchema = z
  .string()
  .toLowerCase()
  .regex(DIGEST_PATTERN, 'must be sha256: and 64 hexadecimal digits');

/** ISO 8601 with a time zone, as it was given. */
export const timeSchema = z.iso.datetime({
  offset: true,
  error:
    'must be an ISO 8601 date and time with a time zone, for example 2026-11-20T08:15:00Z',
});

/** An address for people; only what a browser opens without running it. */
export const linkSchema = z
  .string()
  .max(2000, 'must be at most 2000 characters long')
  .refine(text => {
    try {
      const { protocol, username, password } = new URL(text);
      return /^https?:$/.test(protocol) && !username && !password;
    } catch {
      return false;
    }
  }, 'must be an http or https URL without credentials');

/** A whole number from 0. */
export const countSchema = z
  .number({ error: 'must be a number' })
  .int('must be a whole number')
  .min(0, 'must not be negative');

/** An entity ref in its full spelling; `kind` is what a ref without a kind means. */
export const entityRefSchema = (kind: string) =>
  line(300).transform((value, ctx) => {
    try {
      const ref = parseEntityRef(value, {
        defaultKind: kind,
        defaultNamespace: 'default',
      });
      return stringifyEntityRef(ref);
    } catch {
      ctx.addIssue({
        code: 'custom',
        message: `must be an entity reference, for example ${kind}:default/ledger`,
      });
      return z.NEVER;
    }
  });
