import { z } from 'zod';

/** A commit id: SHA-1 or SHA-256 in hexadecimal. */
export const COMMIT_PATTERN = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/**
 * One spelling for one repository: no trailing slash, no `.git`, the host in lower case.
 * Throws when the URL carries credentials, because it ends up in annotations.
 */
export function normalizeRepository(repository: string): string {
  let text = repository.trim();
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    let url: URL;
    try {
      url = new URL(text);
    } catch {
      throw new Error('is not a valid URL');
    }
    if (url.username || url.password) {
      throw new Error('must not carry credentials; leave out the user part');
    }
    if (url.search || url.hash) {
      throw new Error('must end with the path; leave out the query');
    }
    text = `${url.protocol}//${url.host}${url.pathname}`;
  }
  text = text.replace(/\/+$/, '').replace(/\.git$/, '');
  if (!text) {
    throw new Error('is empty');
  }
  return text;
}

// eslint-disable-next-line no-control-regex
const printable = /^[^\u0000-\u001f\u007f]*$/;

const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(max, `must be at most ${max} characters long`)
    .regex(printable, 'must be one line without control characters');

/** Shape of `PushSource`; the repository comes out normalized. */
export const pushSourceSchema = z.strictObject({
  repository: line(500).transform((value, ctx) => {
    try {
      return normalizeRepository(value);
    } catch (error) {
      ctx.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  }),
  commit: z
    .string()
    .toLowerCase()
    .regex(
      COMMIT_PATTERN,
      'must be a full commit id: 40 or 64 hexadecimal digits',
    ),
  branch: line(255).optional(),
  pipeline: line(500).optional(),
  time: z.iso.datetime({
    offset: true,
    error:
      'must be an ISO 8601 date and time with a time zone, for example 2026-11-20T08:15:00Z',
  }),
});

/** Shape of `RegisterRequest`; what an entity is, is checked by the registry itself. */
export const registerRequestSchema = z.strictObject({
  source: pushSourceSchema,
  entities: z
    .array(
      z.record(z.string(), z.unknown(), {
        error: 'must be an entity (an object with apiVersion, kind, metadata)',
      }),
    )
    .min(1, 'must hold at least one entity'),
});
