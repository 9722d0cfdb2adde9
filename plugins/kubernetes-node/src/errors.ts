import { CustomErrorBase } from '@backstage/errors';
import { readFieldProblems, readManagers, type Status } from './status';

/**
 * What went wrong, in the words that callers may branch on. `denied`: a webhook,
 * policy or pod security refused; `not-served`: the cluster does not know the kind;
 * `terminating`: the namespace is being deleted; `expired`: a page or watch is too old.
 */
export type KubernetesErrorKind =
  | 'already-exists'
  | 'conflict'
  | 'denied'
  | 'expired'
  | 'field-conflict'
  | 'forbidden'
  | 'network'
  | 'not-found'
  | 'not-served'
  | 'quota'
  | 'response'
  | 'server'
  | 'terminating'
  | 'throttled'
  | 'timeout'
  | 'unauthorized'
  | 'validation';

/** One field that the server refused. */
export interface FieldProblem {
  /** As the server writes it, for example `spec.template.spec.containers[0].image`. */
  field: string;
  message: string;
}

/** One field that another manager owns. */
export interface FieldConflict {
  field: string;
  /** For example `kubectl` or `argocd-controller`. */
  manager: string;
  /** `Update` or the API version that the manager used, when the server says so. */
  detail?: string;
}

export interface KubernetesErrorOptions {
  kind: KubernetesErrorKind;
  cluster: string;
  status?: number;
  reason?: string;
  retryable?: boolean;
  retryAfterMs?: number;
  fields?: FieldProblem[];
}

/** A call to a cluster that failed. Its message has no header, token or body. */
export class KubernetesError extends CustomErrorBase {
  name = 'KubernetesError';
  readonly kind: KubernetesErrorKind;
  readonly cluster: string;
  /** HTTP status; absent when there was no answer. */
  readonly status?: number;
  /** The server's own word, for example `Invalid`. */
  readonly reason?: string;
  /** True when the same call may succeed a little later. */
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  /** Of `validation`: the fields, when the server named them. */
  readonly fields: FieldProblem[];

  constructor(message: string, options: KubernetesErrorOptions) {
    super(message);
    this.kind = options.kind;
    this.cluster = options.cluster;
    this.status = options.status;
    this.reason = options.reason;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.fields = options.fields ?? [];
  }
}

/** Server-side apply would change fields that others own. */
export class KubernetesFieldConflictError extends KubernetesError {
  name = 'KubernetesFieldConflictError';
  readonly conflicts: FieldConflict[];

  constructor(
    message: string,
    options: Omit<KubernetesErrorOptions, 'kind'> & {
      conflicts: FieldConflict[];
    },
  ) {
    super(message, { ...options, kind: 'field-conflict' });
    this.conflicts = options.conflicts;
  }
}

export interface FailedCall {
  cluster: string;
  /** What was tried, for people: `apply apps/v1 Deployment payments/ledger`. */
  action: string;
  /** The call's object is a Secret: what the server says may hold its values. */
  secret?: boolean;
  retryAfterMs?: number;
}

/** Server-side apply answers 500 to a field that the kind does not have or that has another type. */
const MALFORMED = /^failed to (create typed patch object|convert new object)/;

const TRANSIENT = new Set([408, 500, 502, 503, 504]);

function kindOf(code: number, { reason = '', message = '' }: Status) {
  const text = message.toLowerCase();
  const says = (part: string) => text.includes(part);
  if (code === 401) return 'unauthorized';
  // A policy may answer with any code that it likes.
  if (
    /denied the request|denied request/.test(text) ||
    (code === 403 && says('violates podsecurity'))
  )
    return 'denied';
  if (code === 403) {
    if (says('exceeded quota') || says('failed quota')) return 'quota';
    if (says('because it is being terminated')) return 'terminating';
    return 'forbidden';
  }
  if (code === 404) return reason === 'NotFound' ? 'not-found' : 'not-served';
  if (code === 409)
    return reason === 'AlreadyExists' ? 'already-exists' : 'conflict';
  if (code === 410) return 'expired';
  if (code === 429) return 'throttled';
  if (code === 500 && MALFORMED.test(text)) return 'validation';
  if (code === 408 || code === 504) return 'timeout';
  return code >= 500 ? 'server' : 'validation';
}

/** The error of an answer that is no success. `body` may be anything. */
export function errorOfAnswer(
  code: number,
  status: Status,
  { cluster, action, secret, retryAfterMs }: FailedCall,
): KubernetesError {
  const start = `Cluster '${cluster}' refused to ${action}`;
  const conflicts = readManagers(status);
  const common = { cluster, status: code, reason: status.reason, retryAfterMs };
  if (code === 409 && conflicts.length) {
    const table = conflicts.map(c => `${c.field} (${c.manager})`).join(', ');
    return new KubernetesFieldConflictError(
      `${start}: others own ${table}. Leave these fields out, or take them over by force`,
      { ...common, conflicts },
    );
  }
  const kind = kindOf(code, status);
  const fields = kind === 'validation' ? readFieldProblems(status, secret) : [];
  const listed = fields.map(f => `${f.field}: ${f.message}`).join('; ');
  const hidden = secret && kind === 'validation';
  const said = listed || (hidden ? 'it is not valid' : status.message);
  const why: Partial<Record<KubernetesErrorKind, string>> = {
    unauthorized:
      'its credentials are not valid (any more). Check the cluster in kubernetes.clusterLocatorMethods',
    'not-served': `it has no such path; is the kind's CustomResourceDefinition installed?`,
    throttled: 'it is overloaded and asks to come later',
  };
  return new KubernetesError(
    `${start}: ${why[kind] ?? (said || `it answered ${code}`)}`,
    {
      ...common,
      kind,
      fields,
      retryable:
        kind === 'throttled' || (TRANSIENT.has(code) && kind !== 'validation'),
    },
  );
}
