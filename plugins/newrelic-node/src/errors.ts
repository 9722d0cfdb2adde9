import { CustomErrorBase } from '@backstage/errors';
import type { NerdGraphError } from './types';

/** What went wrong, in the words that callers may branch on. */
export type NewRelicErrorKind =
  | 'authentication'
  | 'network'
  | 'query'
  | 'response'
  | 'server'
  | 'throttled'
  | 'timeout';

/** A request to New Relic that failed. Its message never contains a key. */
export class NewRelicError extends CustomErrorBase {
  name = 'NewRelicError';
  readonly kind: NewRelicErrorKind;
  /** True when the same request may succeed a little later. */
  readonly retryable: boolean;
  /** Milliseconds New Relic asked to wait before the next attempt. */
  readonly retryAfterMs?: number;
  /** `errorClass` of the answer, when it had one. */
  readonly errorClass?: string;
  /** Whether the request as a whole failed, or one aliased query in it. */
  readonly scope: 'request' | 'alias';
  /** Entries of the answer's `errors` that led to this. */
  readonly errors: NerdGraphError[];

  constructor(
    message: string,
    options: {
      kind: NewRelicErrorKind;
      retryable?: boolean;
      scope?: 'request' | 'alias';
      retryAfterMs?: number;
      errorClass?: string;
      errors?: NerdGraphError[];
    },
  ) {
    super(message);
    this.kind = options.kind;
    this.retryable = options.retryable ?? false;
    this.scope = options.scope ?? 'request';
    this.retryAfterMs = options.retryAfterMs;
    this.errorClass = options.errorClass;
    this.errors = options.errors ?? [];
  }
}

/** New Relic refused the account's key. */
export class NewRelicAuthenticationError extends NewRelicError {
  name = 'NewRelicAuthenticationError';

  constructor(account: { name: string; id: number; keyPath: string }) {
    super(
      `New Relic refused the API key of account '${account.name}' (${account.id}). ` +
        `Check ${account.keyPath} in the configuration: it must be a user key ` +
        `of a user who may query this account; licence and ingest keys do not work here`,
      { kind: 'authentication' },
    );
  }
}

/** Classes that say "try again"; everything else is taken as permanent. */
const RETRYABLE: Record<string, NewRelicErrorKind> = {
  TIMEOUT: 'timeout',
  INTERNAL_SERVER_ERROR: 'server',
  SERVER_ERROR: 'server',
  TOO_MANY_REQUESTS: 'throttled',
};

const DEPRECATION_PREFIX = 'This field is deprecated!';

/** The error of one alias or one request as something to throw. */
export function fromNerdGraphErrors(
  errors: NerdGraphError[],
  accountName: string,
  scope: 'request' | 'alias',
): NewRelicError {
  // A permanent error among several makes the whole permanent.
  const decisive =
    errors.find(error => !RETRYABLE[error.errorClass ?? '']) ?? errors[0];
  const kind = RETRYABLE[decisive.errorClass ?? ''];
  const fields = (decisive.validationErrors ?? [])
    .map(({ name, reason }) => `${name}: ${reason}`)
    .join('; ');
  return new NewRelicError(
    `New Relic account '${accountName}': ${decisive.message}${
      fields ? ` (${fields})` : ''
    }`,
    {
      kind: kind ?? 'query',
      retryable: kind !== undefined,
      scope,
      errorClass: decisive.errorClass,
      errors,
    },
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function findValidationErrors(extensions: Record<string, unknown>) {
  const holders: unknown[] = [extensions];
  if (Array.isArray(extensions.downstreamResponse)) {
    for (const response of extensions.downstreamResponse) {
      if (isRecord(response)) holders.push(response.extensions);
    }
  }
  const found: { name: string; reason: string }[] = [];
  for (const holder of holders) {
    if (isRecord(holder) && Array.isArray(holder.validationErrors)) {
      for (const entry of holder.validationErrors) {
        if (isRecord(entry)) {
          found.push({
            name: String(entry.name ?? 'field'),
            reason: String(entry.reason ?? 'is not valid'),
          });
        }
      }
    }
  }
  return found;
}

function readPath(path: unknown): (string | number)[] | undefined {
  if (!Array.isArray(path)) return undefined;
  const parts = path.filter(
    (part): part is string | number =>
      typeof part === 'string' || typeof part === 'number',
  );
  return parts.length > 0 ? parts : undefined;
}

/**
 * Reads the `errors` of an answer. Absent, null and `[]` mean the same;
 * deprecation notices are left out, since they come with complete data.
 */
export function parseNerdGraphErrors(
  errors: unknown,
  redact: (text: string) => string,
): NerdGraphError[] {
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((entry): NerdGraphError[] => {
    const error = isRecord(entry) ? entry : {};
    const message =
      typeof error.message === 'string' && error.message !== ''
        ? error.message
        : 'New Relic reported an error without a message';
    if (message.startsWith(DEPRECATION_PREFIX)) return [];

    // Some answers keep `downstreamResponse` beside `extensions`.
    const extensions = {
      downstreamResponse: error.downstreamResponse,
      ...(isRecord(error.extensions) ? error.extensions : {}),
    } as Record<string, unknown>;
    const errorClass = [
      extensions.errorClass,
      extensions.error_code,
      extensions.code,
    ].find(value => typeof value === 'string') as string | undefined;
    const validationErrors = findValidationErrors(extensions).map(
      ({ name, reason }) => ({ name: redact(name), reason: redact(reason) }),
    );
    return [
      {
        message: redact(message).slice(0, 1000),
        path: readPath(error.path),
        errorClass,
        ...(validationErrors.length > 0 ? { validationErrors } : {}),
      },
    ];
  });
}
