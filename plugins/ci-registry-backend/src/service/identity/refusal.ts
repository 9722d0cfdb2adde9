import {
  AuthenticationError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';

/** Nobody known: 401. `code` is short and stable, and kept with the decision. */
export class NotAuthenticated extends AuthenticationError {
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** Known, and may not: 403. */
export class NotPermitted extends NotAllowedError {
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** Nobody can be let in at the moment: 503; the router adds Retry-After. */
export class KeysUnavailable extends ServiceUnavailableError {
  readonly code = 'keys-unavailable';
}

export type Refusal = NotAuthenticated | NotPermitted | KeysUnavailable;

export function isRefusal(error: unknown): error is Refusal {
  return (
    error instanceof NotAuthenticated ||
    error instanceof NotPermitted ||
    error instanceof KeysUnavailable
  );
}

/** Text of the caller inside a message: one line, short, in quotes. */
export function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const line = (text ?? 'nothing').replace(/[^\x20-\x7e]/g, '?');
  return `"${line.length > 200 ? `${line.slice(0, 200)}…` : line}"`;
}
