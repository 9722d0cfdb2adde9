import type { FieldConflict, FieldProblem } from './errors';

/** What Rocket uses of a `Status` object, the answer of a failed call. */
export interface Status {
  message?: string;
  reason?: string;
  causes: { reason?: string; message?: string; field?: string }[];
}

const MAX_TEXT = 1000;

/** One line, no control characters, of bounded length. */
function tidy(text: string): string {
  const line = text
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\u007f]+/g, ' ')
    .trim();
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
}

const string = (value: unknown) =>
  typeof value === 'string' && value ? tidy(value) : undefined;

/**
 * Reads the body of a failed call. One that is no `Status` (a proxy's page, plain
 * text) says nothing: it may hold what nobody checked.
 */
export function readStatus(body: string, redact: (text: string) => string) {
  const status: Status = { causes: [] };
  let parsed: any;
  try {
    parsed = JSON.parse(redact(body));
  } catch {
    return status;
  }
  if (parsed?.kind !== 'Status') return status;
  status.message =
    typeof parsed.message === 'string' ? parsed.message : undefined;
  status.reason = string(parsed.reason);
  if (Array.isArray(parsed.details?.causes))
    status.causes = parsed.details.causes.slice(0, 100).map((cause: any) => ({
      reason: string(cause?.reason),
      message: string(cause?.message),
      field: string(cause?.field),
    }));
  // Line ends part the fields of some messages.
  const problems = readLines(status.message ?? '');
  if (!status.causes.length) status.causes = problems;
  status.message = status.message && tidy(status.message);
  return status;
}

/** `.spec.a[name="b"].c: what is wrong`, one per line, as server-side apply lists them. */
function readLines(message: string) {
  const [, rest] =
    message.match(/failed to create typed patch object \(.*?\): (.*)$/s) ?? [];
  const lines = [
    ...(rest ?? '').matchAll(/^\s*(\.(?:[^\s:[]|\[[^\]]*\])+): (.+)$/gm),
  ].map(([, field, problem]) => ({
    field: tidy(field),
    message: tidy(problem),
  }));
  const unknown = [...message.matchAll(/(unknown|duplicate) field "([^"]+)"/g)];
  return [
    ...lines,
    ...unknown.map(([, what, field]) => ({
      field: tidy(field),
      message:
        what === 'unknown' ? 'the kind has no such field' : 'is there twice',
    })),
  ];
}

/** The fields that a validation refused; only their paths when values could show. */
export function readFieldProblems(
  status: Status,
  pathsOnly = false,
): FieldProblem[] {
  return status.causes
    .filter(cause => cause.field)
    .map(cause => ({
      field: cause.field!,
      message: pathsOnly
        ? cause.reason ?? 'is not valid'
        : (cause.message ?? cause.reason ?? 'is not valid').replace(
            /^field not declared in schema$/,
            'the kind has no such field',
          ),
    }));
}

/** Who owns the fields that an apply would have changed. */
export function readManagers(status: Status): FieldConflict[] {
  return status.causes
    .filter(cause => cause.reason === 'FieldManagerConflict')
    .map(cause => {
      const [, manager = 'another manager', detail] =
        cause.message?.match(/conflict with "([^"]*)"(?: (.*))?$/) ?? [];
      return {
        field: cause.field ?? 'unknown field',
        manager,
        ...(detail ? { detail } : {}),
      };
    });
}
