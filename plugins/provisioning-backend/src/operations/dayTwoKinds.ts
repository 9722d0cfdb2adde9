import { ConflictError, NotImplementedError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type {
  OperationStep,
  PlanRequest,
} from '@rocket/plugin-provisioning-common';
import { z } from 'zod';
import { parseInput } from './input';
import type {
  OperationHandler,
  PlanDraft,
  StepContext,
  StepResult,
} from './OperationHandler';
import type { OperationRecord } from './OperationStore';
import { draft, STEP_TIME_MS, type ServiceKindDeps } from './serviceKinds';

/** Changes what runs without another version. */
abstract class DayTwoHandler implements OperationHandler {
  abstract readonly kind: 'scale' | 'rotate';
  readonly onFailure = 'stop';
  readonly stepTimeMs = STEP_TIME_MS;
  protected readonly deps: ServiceKindDeps;

  constructor(deps: ServiceKindDeps) {
    this.deps = deps;
  }

  abstract parseInput(input: JsonObject): JsonObject;
  abstract plan(request: PlanRequest): Promise<PlanDraft>;
  protected abstract act(
    name: string,
    operation: OperationRecord,
    signal: AbortSignal,
  ): Promise<string>;

  /** @throws NotImplementedError when the runtime cannot do it. */
  protected async target({ subject, environment }: PlanRequest) {
    const target = await this.deps.targets.require(subject, environment);
    const able = await this.deps.services.abilities(target.name);
    if (!able[this.kind]) {
      throw new NotImplementedError(
        `The runtime '${target.record.runtime}' cannot ${
          this.kind === 'scale' ? 'scale services' : 'rotate credentials'
        }`,
      );
    }
    if (target.record.desired !== 'running') {
      throw new ConflictError(`${target.name} is stopped; start it first`);
    }
    return target;
  }

  async run(
    operation: OperationRecord,
    _step: OperationStep,
    { signal }: StepContext,
  ): Promise<StepResult> {
    const { name } = await this.deps.targets.require(
      operation.subject,
      operation.environment,
    );
    return {
      outcome: 'done',
      message: await this.act(name, operation, signal),
    };
  }
}

/** Sets the number of instances. */
export class ScaleHandler extends DayTwoHandler {
  readonly kind = 'scale';

  parseInput(input: JsonObject) {
    return parseInput(
      z.strictObject({ replicas: z.number().int().min(0).max(100) }),
      input,
    );
  }

  async plan(request: PlanRequest) {
    const target = await this.target(request);
    const { replicas } = target.record;
    const wanted = Number(request.input.replicas);
    return draft(
      target,
      [
        {
          id: 'scale',
          title: `Run ${target.name} with ${wanted} instances`,
          change: replicas === wanted ? 'keep' : 'change',
          detail:
            wanted === 0
              ? 'Nothing of it answers any more until it is scaled again'
              : `Until now ${replicas ?? 'as many as its manifest says'}`,
        },
      ],
      { replicas: replicas ?? null },
    );
  }

  protected async act(
    name: string,
    operation: OperationRecord,
    signal: AbortSignal,
  ) {
    const replicas = Number(operation.input.replicas);
    await this.deps.services.scale(name, replicas, signal);
    return `${name} runs with ${replicas} instances`;
  }
}

/** Gives the service new credentials of its database. */
export class RotateHandler extends DayTwoHandler {
  readonly kind = 'rotate';

  parseInput(input: JsonObject) {
    return parseInput(z.strictObject({}), input);
  }

  async plan(request: PlanRequest) {
    const target = await this.target(request);
    return draft(
      target,
      [
        {
          id: 'rotate',
          title: `Rotate the credentials of ${target.name}`,
          change: 'change',
          detail:
            'The service gets new credentials of its database and uses them; the old ones stop working',
        },
      ],
      { database: target.record.database ?? null },
    );
  }

  protected async act(name: string, _: OperationRecord, signal: AbortSignal) {
    await this.deps.services.rotate(name, signal);
    return 'The old credentials are of no use any more';
  }
}
