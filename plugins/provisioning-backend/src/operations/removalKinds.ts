import { InputError, NotFoundError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type {
  Effect,
  OperationStep,
  PlanRequest,
  PlanStep,
} from '@rocket/plugin-provisioning-common';
import { z } from 'zod';
import type { EffectLedger } from '../effects/EffectLedger';
import type { ProtectedPlaces } from '../environments/protectedPlaces';
import type { ServiceManager } from '../service/ServiceManager';
import { parseInput } from './input';
import type {
  OperationHandler,
  PlanDraft,
  StepContext,
  StepResult,
} from './OperationHandler';
import type { OperationRecord } from './OperationStore';

/** With all attempts; a namespace that does not end, say, is then left to a person. */
export const REMOVAL_TIME_MS = 10 * 60_000;

/** Position of services in retirement. */
const WORKLOAD = 30;

export type Ledger = Pick<
  EffectLedger,
  'get' | 'list' | 'remove' | 'retireOrder' | 'describe'
>;

const nameOf = (ledger: Pick<Ledger, 'describe'>, effect: Effect) =>
  `${ledger.describe(effect).title}${
    effect.environment ? ` in ${effect.environment}` : ''
  }`;

/** One line of a plan for one effect that is to go. */
export function removalStep(
  ledger: Pick<Ledger, 'describe'>,
  effect: Effect,
  mode: 'undo' | 'retire',
): PlanStep {
  const name = nameOf(ledger, effect);
  const common = { id: `effect:${effect.id}`, effectId: effect.id };
  const title = `${mode === 'undo' ? 'Take back' : 'Retire'} ${name}`;
  switch (effect.state) {
    case 'retained':
      return {
        ...common,
        title: `Keep ${name}`,
        change: 'keep',
        detail: `Out of use; it is kept until ${effect.retainedUntil} and goes then by itself`,
      };
    case 'manual':
      return {
        ...common,
        title,
        change: 'manual',
        detail: `A person has to: ${effect.instruction ?? effect.undo}`,
      };
    default: {
      const { retirement } = ledger.describe(effect);
      return mode === 'retire' && retirement
        ? { ...common, title, change: 'change', detail: retirement }
        : { ...common, title, change: 'remove', detail: effect.undo };
    }
  }
}

/** What a plan depends on: another state or another intent is another plan. */
export const basisOf = (effects: Effect[]) =>
  effects.map(({ id, state, intent, retainedUntil = null }) => ({
    id,
    state,
    intent,
    retainedUntil,
  }));

/** Takes back the effect of a step, one attempt. */
export async function removeEffect(
  ledger: Ledger,
  step: OperationStep,
  mode: 'undo' | 'retire',
  { actor, signal }: StepContext,
): Promise<StepResult> {
  const { effect, retryAfterMs } = await ledger.remove(
    step.effectId!,
    mode,
    actor,
    { signal },
  );
  switch (effect.state) {
    case 'undone':
      return { outcome: 'done', message: effect.message };
    case 'retained':
      return {
        outcome: 'done',
        message: effect.message ?? `Kept until ${effect.retainedUntil}`,
      };
    case 'manual':
      return {
        outcome: 'manual',
        instruction: effect.instruction ?? effect.undo,
      };
    default:
      return {
        outcome: 'retry',
        afterMs: retryAfterMs ?? 5_000,
        message: effect.message ?? `${nameOf(ledger, effect)} is not gone yet`,
      };
  }
}

const unique = (values: (string | undefined)[]) => [
  ...new Set(values.filter(value => value !== undefined)),
];

/** The environments that effects say they are in, and those that they are in all the same. */
const touched = (effects: Effect[], protectedPlaces?: ProtectedPlaces) =>
  unique(
    effects.flatMap(effect => [effect.environment, protectedPlaces?.(effect)]),
  );

export function draftOf(
  effects: Effect[],
  steps: PlanStep[],
  warnings: string[] = [],
  protectedPlaces?: ProtectedPlaces,
): PlanDraft {
  return {
    owner: effects[0]?.owner ?? '',
    owners: unique(effects.map(({ owner }) => owner)),
    environments: touched(effects, protectedPlaces),
    steps,
    warnings,
    basis: basisOf(effects),
  };
}

const undoInput = z.strictObject({
  run: z
    .string()
    .regex(
      /^(task|operation):[A-Za-z0-9._-]{1,180}$/,
      'must be task:<id> or operation:<id>',
    ),
});

/** Takes back everything that one run made, the last first. */
export class UndoHandler implements OperationHandler {
  readonly kind = 'undo';
  readonly onFailure = 'continue';
  readonly stepTimeMs = REMOVAL_TIME_MS;
  readonly #ledger: Ledger;
  readonly #protectedPlaces?: ProtectedPlaces;

  constructor(ledger: Ledger, protectedPlaces?: ProtectedPlaces) {
    this.#ledger = ledger;
    this.#protectedPlaces = protectedPlaces;
  }

  parseInput(input: JsonObject) {
    return parseInput(undoInput, input);
  }

  async plan({ subject, input }: PlanRequest): Promise<PlanDraft> {
    const run = String(input.run);
    const made = await this.#ledger.list({ run });
    if (made.length === 0) {
      throw new NotFoundError(`The ledger knows nothing that ${run} made`);
    }
    if (!made.some(effect => effect.subject === subject)) {
      throw new InputError(
        `subject: ${run} made things for ${made[0].subject}, not for ${subject}`,
      );
    }
    const left = made.filter(({ state }) => state !== 'undone').reverse();
    return {
      ...draftOf(
        left,
        left.map(effect => removalStep(this.#ledger, effect, 'undo')),
        left.length === 0 ? ['Everything that it made is gone already'] : [],
        this.#protectedPlaces,
      ),
      owner: made[0].owner,
      owners: unique(made.map(({ owner }) => owner)),
    };
  }

  async run(_: OperationRecord, step: OperationStep, context: StepContext) {
    return removeEffect(this.#ledger, step, 'undo', context);
  }
}

/** What retirement asks of the services that run. */
export type RetiredServices = Pick<ServiceManager, 'list' | 'remove'>;

/** Takes a component out of use, in the order in which that is safe. */
export class RetireHandler implements OperationHandler {
  readonly kind = 'retire';
  readonly onFailure = 'continue';
  readonly stepTimeMs = REMOVAL_TIME_MS;
  readonly #ledger: Ledger;
  readonly #services: RetiredServices;
  readonly #protectedPlaces?: ProtectedPlaces;

  constructor(deps: {
    ledger: Ledger;
    services: RetiredServices;
    protectedPlaces?: ProtectedPlaces;
  }) {
    this.#ledger = deps.ledger;
    this.#services = deps.services;
    this.#protectedPlaces = deps.protectedPlaces;
  }

  parseInput(input: JsonObject) {
    return parseInput(z.strictObject({}), input);
  }

  async plan({ subject, environment }: PlanRequest): Promise<PlanDraft> {
    const all = await this.#ledger.list({ subject, environment });
    const left = all.filter(({ state }) => state !== 'undone');
    const known = new Set(left.map(({ reference }) => reference));
    // From before the ledger: they run, and nobody wrote them down.
    const others = (await this.#services.list()).filter(
      service =>
        service.entityRef === subject &&
        (environment === undefined || service.environment === environment) &&
        !known.has(service.name),
    );
    if (all.length === 0 && others.length === 0) {
      throw new NotFoundError(
        `Rocket knows nothing that exists for ${subject}${
          environment ? ` in ${environment}` : ''
        }`,
      );
    }
    const order = (type: string) => this.#ledger.retireOrder(type);
    const steps = [
      ...left.map(effect => ({
        order: order(effect.type),
        sequence: effect.sequence,
        step: removalStep(this.#ledger, effect, 'retire'),
      })),
      ...others.map(({ name }) => ({
        order: WORKLOAD,
        sequence: 0,
        step: {
          id: `service:${name}`,
          title: `Retire service ${name}`,
          change: 'remove' as const,
          detail: `Ends the service ${name} and takes it from the runtime`,
        },
      })),
    ]
      .sort((a, b) => a.order - b.order || b.sequence - a.sequence)
      .map(({ step }) => step);
    const owners = [...all, ...others].map(({ owner }) => owner);
    return {
      ...draftOf(
        left,
        steps,
        steps.length === 0 ? ['Everything of it is gone already'] : [],
      ),
      owner: owners[0],
      owners: unique(owners),
      environments: unique([
        ...touched(left, this.#protectedPlaces),
        ...others.map(({ environment: name }) => name),
      ]),
    };
  }

  async run(
    operation: OperationRecord,
    step: OperationStep,
    context: StepContext,
  ): Promise<StepResult> {
    if (step.effectId) {
      return removeEffect(this.#ledger, step, 'retire', context);
    }
    const result = await this.#services.remove(
      step.id.replace('service:', ''),
      operation.subject,
    );
    return result.outcome === 'retained'
      ? { outcome: 'done', message: result.message }
      : result;
  }
}
