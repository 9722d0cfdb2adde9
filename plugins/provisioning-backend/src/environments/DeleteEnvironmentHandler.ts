import { InputError, NotFoundError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type {
  OperationState,
  OperationStep,
  PlanRequest,
} from '@rocket/plugin-provisioning-common';
import { z } from 'zod';
import { parseInput } from '../operations/input';
import type {
  OperationHandler,
  PlanDraft,
  StepContext,
} from '../operations/OperationHandler';
import type { OperationRecord } from '../operations/OperationStore';
import {
  draftOf,
  removalStep,
  removeEffect,
  REMOVAL_TIME_MS,
} from '../operations/removalKinds';
import { label, type EnvironmentKindDeps } from './environmentKinds';

/** First pause before a deletion that did not succeed is tried again; doubled each time. */
const FIRST_RETRY_MS = 5 * 60_000;
const LONGEST_RETRY_MS = 6 * 3_600_000;

/** Takes an environment back, whole: what is stuck is named and tried again. */
export class DeleteEnvironmentHandler implements OperationHandler {
  readonly kind = 'environment-delete';
  readonly onFailure = 'continue';
  readonly stepTimeMs = REMOVAL_TIME_MS;
  readonly #deps: Pick<EnvironmentKindDeps, 'store' | 'ledger' | 'now'>;

  constructor(deps: Pick<EnvironmentKindDeps, 'store' | 'ledger' | 'now'>) {
    this.#deps = deps;
  }

  parseInput(input: JsonObject) {
    return parseInput(z.strictObject({ name: label }), input);
  }

  async plan({ subject, environment, input }: PlanRequest): Promise<PlanDraft> {
    const { store, ledger } = this.#deps;
    const name = String(input.name);
    const record = await store.get(name);
    if (!record || record.state === 'deleted') {
      throw new NotFoundError(
        `There is no environment '${name}' that was made on demand`,
      );
    }
    if (environment && environment !== name) {
      throw new InputError(
        `environment: is '${environment}', but input.name is '${name}'`,
      );
    }
    if (record.subject !== subject) {
      throw new InputError(
        `subject: '${name}' is an environment of ${record.subject}`,
      );
    }
    const order = (type: string) => ledger.retireOrder(type);
    const left = (await ledger.list({ environment: name }))
      .filter(({ state }) => state !== 'undone')
      .sort((a, b) => order(a.type) - order(b.type) || b.sequence - a.sequence);
    return {
      ...draftOf(
        left,
        left.map(effect => removalStep(ledger, effect, 'undo')),
      ),
      environment: name,
      owner: record.owner,
      owners: [record.owner],
      environments: [],
    };
  }

  async admit(operation: OperationRecord): Promise<void> {
    await this.#deps.store.change(
      operation.environment!,
      { state: 'deleting', message: undefined },
      [
        'requested',
        'provisioning',
        'ready',
        'sleeping',
        'expiring',
        'failed',
        'delete-failed',
      ],
    );
  }

  async run(_: OperationRecord, step: OperationStep, context: StepContext) {
    return removeEffect(this.#deps.ledger, step, 'undo', context);
  }

  async ended(
    operation: OperationRecord,
    state: OperationState,
    message?: string,
  ): Promise<void> {
    const { store, ledger, now } = this.#deps;
    const name = operation.environment!;
    const record = await store.get(name);
    if (!record || record.state !== 'deleting') return;
    // What is kept for its retention goes by itself.
    const left = (await ledger.list({ environment: name })).filter(
      effect => !['undone', 'retained'].includes(effect.state),
    );
    if (state === 'done' && left.length === 0) {
      await store.change(
        name,
        { state: 'deleted', message: undefined, url: undefined },
        ['deleting'],
      );
      return;
    }
    const things = left.map(
      ({ type, reference, message: why, instruction }) =>
        `${type} ${reference}${
          instruction ?? why ? ` (${instruction ?? why})` : ''
        }`,
    );
    await store.change(
      name,
      {
        state: 'delete-failed',
        message: things.length
          ? `Not gone yet: ${things.join('; ')}`
          : message ?? `The deletion was ${state}`,
        removals: record.removals + 1,
        retryAt: new Date(
          now() +
            Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** record.removals),
        ).toISOString(),
      },
      ['deleting'],
    );
  }
}
