import { createHash } from 'node:crypto';
import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import type { JsonValue } from '@backstage/types';
import type {
  OperationKind,
  OperationPlan,
  PlanRequest,
} from '@rocket/plugin-provisioning-common';
import type { OperationHandler, PlanDraft } from './OperationHandler';

/** What an environment wants before something in it changes. */
export interface ApprovalRule {
  /** Entity refs; a member of one of them has to agree. */
  approvers: string[];
  /** Milliseconds. */
  expiryMs: number;
}

/** Undefined where nobody has to agree. */
export type ApprovalRules = (environment: string) => ApprovalRule | undefined;

/** A plan with what it was made from. */
export interface PlannedOperation {
  plan: OperationPlan;
  draft: PlanDraft;
  rules: ApprovalRule[];
}

/** Makes plans with their digest, and says where somebody has to agree. */
export class OperationPlanner {
  readonly #handlers: ReadonlyMap<OperationKind, OperationHandler>;
  readonly #rules: ApprovalRules;

  constructor(deps: {
    handlers: ReadonlyMap<OperationKind, OperationHandler>;
    rules: ApprovalRules;
  }) {
    this.#handlers = deps.handlers;
    this.#rules = deps.rules;
  }

  /** @throws InputError when there is no such kind. */
  handler(kind: OperationKind): OperationHandler {
    const handler = this.#handlers.get(kind);
    if (!handler) throw new InputError(`kind: there is no operation '${kind}'`);
    return handler;
  }

  /** Looks at what there is now. */
  async plan(
    request: PlanRequest,
    credentials?: BackstageCredentials,
  ): Promise<PlannedOperation> {
    const handler = this.handler(request.kind);
    const input = handler.parseInput(request.input);
    const draft = await handler.plan({ ...request, input }, credentials);
    return this.#finish({ ...request, input }, draft);
  }

  #finish(request: PlanRequest, draft: PlanDraft): PlannedOperation {
    const { kind, subject, input } = request;
    const environment = request.environment ?? draft.environment;
    const wanting = draft.environments.flatMap(name => {
      const rule = this.#rules(name);
      return rule ? [{ name, ...rule }] : [];
    });
    const approval = wanting.length > 0 && {
      approvers: [...new Set(wanting.flatMap(rule => rule.approvers))],
      reason: `${wanting
        .map(({ name }) => name)
        .join(', ')}: another person has to agree`,
    };
    const plan: OperationPlan = {
      kind,
      subject,
      ...(environment === undefined ? {} : { environment }),
      input,
      steps: draft.steps,
      ...(approval ? { approval } : {}),
      warnings: draft.warnings,
      digest: digestOf({
        kind,
        subject,
        environment: environment ?? null,
        input,
        steps: draft.steps.map(({ id, change }) => ({ id, change })),
        basis: draft.basis,
        approvers: wanting.map(({ approvers }) => approvers),
      }),
    };
    return { plan, draft, rules: wanting };
  }
}

/** Independent of the order of fields. */
function digestOf(value: JsonValue): string {
  return createHash('sha256').update(canonical(value)).digest('hex');
}

function canonical(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    return `{${Object.keys(value)
      .filter(key => value[key] !== undefined)
      .sort()
      .map(key => `${JSON.stringify(key)}:${canonical(value[key])}`)
      .join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}
