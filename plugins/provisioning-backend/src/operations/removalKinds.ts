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

export type Ledger = Pick<
  EffectLedger,
  'get' | 'list' | 'remove' | 'retireOrder'
>;

const describe = ({ type, reference, environment }: Effect) =>
  `${type} ${reference}${environment ? ` in ${environment}` : ''}`;

/** One line of a plan for one effect that is to go. */
export function removalStep(effect: Effect, mode: 'undo' | 'retire'): PlanStep {
  const common = { id: `effect:${effect.id}`, effectId: effect.id };
  const title = `${mode === 'undo' ? 'Take back' : 'Retire'} ${describe(
    effect,
  )}`;
  switch (effect.state) {
    case 'retained':
      return {
        ...common,
        title: `Keep ${describe(effect)}`,
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
    default:
      return { ...common, title, change: 'remove', detail: effect.undo };
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
        message: effect.message ?? `${describe(effect)} is not gone yet`,
      };
  }
}

const unique = (values: (string | undefined)[]) => [
  ...new Set(values.filter(value => value !== undefined)),
];

export function draftOf(
  effects: Effect[],
  steps: PlanStep[],
  warnings: string[] = [],
): PlanDraft {
  return {
    owner: effects[0]?.owner ?? '',
    owners: unique(effects.map(({ owner }) => owner)),
    environments: unique(effects.map(({ environment }) => environment)),
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

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
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
        left.map(effect => removalStep(effect, 'undo')),
        left.length === 0 ? ['Everything that it made is gone already'] : [],
      ),
      owner: made[0].owner,
      owners: unique(made.map(({ owner }) => owner)),
    };
  }

  async run(_: OperationRecord, step: OperationStep, context: StepContext) {
    return removeEffect(this.#ledger, step, 'undo', context);
  }
}

/** Takes a component out of use, in the order in which that is safe. */
export class RetireHandler implements OperationHandler {
  readonly kind = 'retire';
  readonly onFailure = 'continue';
  readonly stepTimeMs = REMOVAL_TIME_MS;
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  parseInput(input: JsonObject) {
    return parseInput(z.strictObject({}), input);
  }

  async plan({ subject, environment }: PlanRequest): Promise<PlanDraft> {
    const all = await this.#ledger.list({ subject, environment });
    if (all.length === 0) {
      throw new NotFoundError(
        `The ledger knows nothing that exists for ${subject}${
          environment ? ` in ${environment}` : ''
        }`,
      );
    }
    const order = (effect: Effect) => this.#ledger.retireOrder(effect.type);
    const left = all
      .filter(({ state }) => state !== 'undone')
      .sort((a, b) => order(a) - order(b) || b.sequence - a.sequence);
    return {
      ...draftOf(
        left,
        left.map(effect => removalStep(effect, 'retire')),
        left.length === 0 ? ['Everything of it is gone already'] : [],
      ),
      owner: all[0].owner,
      owners: unique(all.map(({ owner }) => owner)),
    };
  }

  async run(_: OperationRecord, step: OperationStep, context: StepContext) {
    return removeEffect(this.#ledger, step, 'retire', context);
  }
}
