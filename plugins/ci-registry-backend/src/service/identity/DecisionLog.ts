import { randomUUID } from 'node:crypto';
import type { AuditorService } from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import type {
  IdentityDecision,
  PushRequest,
  PusherIdentity,
} from '@rocket/plugin-ci-registry-common';
import type express from 'express';
import type { IdentityStore } from './IdentityStore';
import type { Named } from './named';
import type { Proof } from './Prover';
import { isRefusal } from './refusal';

const MAX_REFS = 100;

export function pathOf(req: express.Request): string {
  return (req.originalUrl ?? req.url).split('?')[0].slice(0, 500);
}

/** What a push asks for: names and counts. */
export function describeRequest(
  req: express.Request,
  request: PushRequest,
  wanted: Named,
): IdentityDecision['request'] {
  const refs = [
    ...new Set([...wanted.entities, ...wanted.subjects].map(({ ref }) => ref)),
  ];
  const environments = [...new Set(wanted.environments.map(e => e.name))];
  return {
    method: req.method,
    path: pathOf(req),
    repository: request.source.repository,
    ...(refs.length
      ? { entityRefs: refs.slice(0, MAX_REFS), entityCount: refs.length }
      : {}),
    ...(environments.length
      ? { environments: environments.slice(0, MAX_REFS) }
      : {}),
  };
}

/** Of what a decision is made. */
export interface DecisionContext {
  req: express.Request;
  /** Empty when nobody could make sure of it. */
  identity: Partial<PusherIdentity>;
  proof?: Proof;
  asked?: IdentityDecision['request'];
  rule?: string;
}

type Outcome = Pick<IdentityDecision, 'allowed' | 'code' | 'reason'>;

/** Keeps every decision in the database and hands it to the auditor. */
export class DecisionLog {
  readonly #store: IdentityStore;
  readonly #auditor: AuditorService;
  readonly #now: () => number;

  constructor(options: {
    store: IdentityStore;
    auditor: AuditorService;
    now: () => number;
  }) {
    this.#store = options.store;
    this.#auditor = options.auditor;
    this.#now = options.now;
  }

  /** Keeps a refusal; other errors are none. */
  async refused(error: unknown, context: DecisionContext): Promise<void> {
    const code =
      error instanceof InputError
        ? 'malformed-request'
        : isRefusal(error) && error.code;
    if (!code) return;
    await this.keep(context, {
      allowed: false,
      code,
      reason: (error as Error).message,
    });
  }

  async keep(context: DecisionContext, outcome: Outcome): Promise<void> {
    const decision = this.decide(context, outcome);
    await this.store(decision);
    await this.audit(decision, context);
  }

  decide(context: DecisionContext, outcome: Outcome): IdentityDecision {
    const { req } = context;
    return {
      id: randomUUID(),
      time: new Date(this.#now()).toISOString(),
      ...outcome,
      identity: { ...context.identity },
      ...(context.rule === undefined ? {} : { rule: context.rule }),
      request: context.asked ?? { method: req.method, path: pathOf(req) },
    };
  }

  async store(decision: IdentityDecision) {
    const known = decision.identity.subject !== undefined;
    await this.#store.addDecisions([decision], known);
  }

  async audit(decision: IdentityDecision, { req, proof }: DecisionContext) {
    const event = await this.#auditor.createEvent({
      eventId: 'pipeline-decision',
      severityLevel: decision.allowed ? 'low' : 'medium',
      // The auditor asks Backstage who called, and fails for those whom only we know.
      ...(proof?.type === 'backstage' ? { request: req } : {}),
      meta: { ...decision },
    });
    await (decision.allowed
      ? event.success()
      : event.fail({ error: new Error(decision.reason) }));
  }
}
