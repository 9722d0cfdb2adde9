import { z } from 'zod';

/** A number in a range, in milliseconds or epoch milliseconds. */
const milliseconds = z.number().int().nonnegative();

/**
 * One way to misbehave. Kinds that concern the whole request: `http429`,
 * `http500`, `badKey` (HTTP 401), `slow`, and `down`, which breaks the
 * connection off without an answer. Kinds that concern one NRQL query:
 * `timeout`, `serverError`, `partialError` and `nullResult`. Kinds that concern
 * one mutation: `refused`, which changes nothing and says no, and `lost`, which
 * does what was asked and breaks the connection off. `gap` hides events.
 */
export const misbehaviourSchema = z
  .object({
    kind: z.enum([
      'http429',
      'http500',
      'badKey',
      'slow',
      'down',
      'timeout',
      'serverError',
      'partialError',
      'nullResult',
      'refused',
      'lost',
      'gap',
    ]),
    /** How often; default 1 without `durationMs`, else as often as it comes up. */
    count: z.number().int().positive().optional(),
    /** How long, from now. Milliseconds. */
    durationMs: milliseconds.optional(),
    /** Only the n-th NRQL query of a request, from 0. Default: `partialError` the first, others all. */
    aliasIndex: z.number().int().nonnegative().optional(),
    /** Only queries that contain this text; mutations: their name and arguments, as `name {"json": …}`. */
    match: z.string().optional(),
    /** `extensions.errorClass` of the error. */
    errorClass: z.string().optional(),
    message: z.string().optional(),
    /** Waits before it answers. Milliseconds. */
    delayMs: milliseconds.max(600_000).optional(),
    /** `gap`: events with from <= timestamp < to are not seen. Epoch milliseconds. */
    from: milliseconds.optional(),
    to: milliseconds.optional(),
  })
  .strict()
  .refine(
    rule =>
      rule.kind !== 'gap' ||
      (rule.from !== undefined && rule.to !== undefined && rule.from < rule.to),
    { message: 'a gap needs from and to, from before to', path: ['from'] },
  );

export type MisbehaviourRule = z.infer<typeof misbehaviourSchema>;

/** What a rule makes of one NRQL query. */
export type QueryFault =
  | { kind: 'error'; message: string; errorClass: string; delayMs: number }
  | { kind: 'null'; delayMs: number };

/** What a rule makes of one mutation. */
export type MutationFault =
  | { kind: 'refused'; message: string; errorClass: string; delayMs: number }
  | { kind: 'lost'; delayMs: number };

const MUTATION_KINDS = ['refused', 'lost'];
const REQUEST_KINDS = ['http429', 'http500', 'badKey', 'slow', 'down'];
const FAULTS: Record<string, { errorClass: string; message: string }> = {
  timeout: {
    errorClass: 'TIMEOUT',
    message: 'NRDB query duration exceeded the set timeout',
  },
  serverError: {
    errorClass: 'SERVER_ERROR',
    message: 'An error occurred resolving this field',
  },
  partialError: {
    errorClass: 'SERVER_ERROR',
    message: 'An error occurred resolving this field',
  },
};

/** Faults that tests order; each is used up by its count or its time. */
export class Misbehaviour {
  private rules: (MisbehaviourRule & { left: number; until: number })[] = [];

  constructor(private readonly now: () => number = Date.now) {}

  add(rule: MisbehaviourRule): void {
    const lasting = rule.durationMs !== undefined || rule.kind === 'gap';
    this.rules.push({
      ...rule,
      left: rule.count ?? (lasting ? Infinity : 1),
      until:
        rule.durationMs === undefined ? Infinity : this.now() + rule.durationMs,
    });
  }

  clear(): void {
    this.rules = [];
  }

  /** Rules that are still to come up. */
  pending(): MisbehaviourRule[] {
    this.forget();
    return this.rules.map(({ left, until: _, ...rule }) => ({
      ...rule,
      count: left === Infinity ? undefined : left,
    }));
  }

  /** The fault of a whole request, once for each request. */
  takeForRequest(): MisbehaviourRule | undefined {
    return this.take(rule => REQUEST_KINDS.includes(rule.kind));
  }

  /** The fault of the `index`-th NRQL query of a request. */
  takeForQuery(index: number, nrql: string): QueryFault | undefined {
    const rule = this.take(candidate => {
      if (
        [...REQUEST_KINDS, ...MUTATION_KINDS, 'gap'].includes(candidate.kind)
      ) {
        return false;
      }
      const wanted =
        candidate.aliasIndex ??
        (candidate.kind === 'partialError' ? 0 : undefined);
      if (wanted !== undefined && wanted !== index) return false;
      return candidate.match === undefined || nrql.includes(candidate.match);
    });
    if (!rule) return undefined;
    const delayMs = rule.delayMs ?? 0;
    if (rule.kind === 'nullResult') return { kind: 'null', delayMs };
    const fault = FAULTS[rule.kind];
    return {
      kind: 'error',
      message: rule.message ?? fault.message,
      errorClass: rule.errorClass ?? fault.errorClass,
      delayMs,
    };
  }

  /** The fault of one mutation, once for each. */
  takeForMutation(name: string, args: unknown): MutationFault | undefined {
    const text = `${name} ${JSON.stringify(args)}`;
    const rule = this.take(
      ({ kind, match }) =>
        MUTATION_KINDS.includes(kind) &&
        (match === undefined || text.includes(match)),
    );
    if (!rule) return undefined;
    const delayMs = rule.delayMs ?? 0;
    if (rule.kind === 'lost') return { kind: 'lost', delayMs };
    return {
      kind: 'refused',
      message: rule.message ?? 'An error occurred resolving this field',
      errorClass: rule.errorClass ?? 'SERVER_ERROR',
      delayMs,
    };
  }

  /** Times whose events no query may see. */
  gaps(): { from: number; to: number }[] {
    this.forget();
    return this.rules.flatMap(({ kind, from, to }) =>
      kind === 'gap' && from !== undefined && to !== undefined
        ? [{ from, to }]
        : [],
    );
  }

  private take(
    wanted: (rule: MisbehaviourRule) => boolean,
  ): MisbehaviourRule | undefined {
    this.forget();
    const rule = this.rules.find(wanted);
    if (rule) rule.left -= 1;
    return rule;
  }

  private forget() {
    const now = this.now();
    this.rules = this.rules.filter(
      ({ left, until }) => left > 0 && now < until,
    );
  }
}
