import type { Json } from './fakeFields';
import { Refusal } from './Refusal';

/**
 * What happens to a request instead of its answer. `cut`: the connection breaks;
 * `hang`: no answer, ever; `cutAfter`: it is done, then the connection breaks.
 */
export type Fault =
  | 'cut'
  | 'hang'
  | 'cutAfter'
  | { delayMs: number }
  | { status: number; headers?: Record<string, string>; body?: Json };

export interface FaultRule {
  method?: string;
  path?: RegExp;
  /** Default: 1. */
  times?: number;
  fault: Fault;
}

const failure = (
  code: number,
  reason: string | undefined,
  message: string,
  details?: Json,
) => ({
  status: code,
  body: new Refusal(code, reason, message, details).status,
});

/** Answers as real API servers give them. */
export const faults = {
  throttled: (seconds: number) => ({
    ...failure(
      429,
      'TooManyRequests',
      'too many requests, please try again later',
    ),
    headers: { 'retry-after': String(seconds) },
  }),
  broken: () =>
    failure(
      500,
      'InternalError',
      'Internal error occurred: etcdserver: leader changed',
    ),
  forbidden: (what: string) =>
    failure(403, 'Forbidden', `User "rocket" cannot ${what}`),
  modified: (name: string) =>
    failure(
      409,
      'Conflict',
      `Operation cannot be fulfilled on "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    ),
  quota: (name: string, requested: string, used: string, limited: string) =>
    failure(
      403,
      'Forbidden',
      `"x" is forbidden: exceeded quota: ${name}, requested: ${requested}, used: ${used}, limited: ${limited}`,
    ),
  webhook: (name: string, why: string) =>
    failure(
      400,
      'BadRequest',
      `admission webhook "${name}" denied the request: ${why}`,
    ),
  webhookDown: (name: string) =>
    failure(
      500,
      'InternalError',
      `Internal error occurred: failed calling webhook "${name}": connection refused`,
    ),
};
