import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type {
  OperationStep,
  PlanRequest,
  PlanStep,
} from '@rocket/plugin-provisioning-common';
import { z } from 'zod';
import type { EffectLedger } from '../effects/EffectLedger';
import { serviceEffectType } from '../effects/handlers/LocalServiceHandler';
import type { GitHost } from '../git/GitHost';
import type { ServiceManager } from '../service/ServiceManager';
import { parseInput } from './input';
import type {
  OperationHandler,
  PlanDraft,
  StepContext,
  StepResult,
} from './OperationHandler';
import type { OperationRecord } from './OperationStore';
import type { ServiceImages } from './ServiceImages';
import type { ServiceTarget, ServiceTargets } from './ServiceTargets';

export const STEP_TIME_MS = 30 * 60_000;

const commit = z
  .string()
  .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, 'must be a full commit id');
const image = z
  .string()
  .max(400)
  .regex(
    /^[a-z0-9][a-z0-9._:/-]*@sha256:[0-9a-f]{64}$/,
    'must be an image by digest: name@sha256:…',
  );
const deployInput = z
  .strictObject({
    ref: z.string().min(1).max(200).optional(),
    commit: commit.optional(),
    image: image.optional(),
  })
  .refine(({ ref, commit: id }) => !(ref && id), {
    path: ['ref'],
    error: 'either ref or commit',
  });

export interface ServiceKindDeps {
  targets: ServiceTargets;
  services: Pick<
    ServiceManager,
    'abilities' | 'find' | 'rotate' | 'scale' | 'versions'
  >;
  ledger: Pick<EffectLedger, 'perform'>;
  host: Pick<GitHost, 'resolve'>;
  images: Pick<ServiceImages, 'find'>;
}

const short = (sha: string) => sha.slice(0, 12);

/** What all plans for a service have in common. */
export function draft(
  target: ServiceTarget,
  steps: PlanStep[],
  basis: JsonObject,
) {
  const { record } = target;
  return {
    owner: target.owner,
    owners: [target.owner],
    environments: [target.environment.name],
    steps,
    warnings: [],
    basis: {
      name: target.name,
      repository: target.repository,
      runtime: target.environment.runtime,
      running: record?.runningCommit ?? null,
      deployed: record?.deployCommit ?? null,
      desired: record?.desired ?? null,
      ...basis,
    },
  } satisfies PlanDraft;
}

/** A version of a service as an effect of the operation. */
export async function deployVersion(
  { ledger, services }: Pick<ServiceKindDeps, 'ledger' | 'services'>,
  operation: OperationRecord,
  target: ServiceTarget,
  version: { commit: string; image?: string },
  { actor, signal }: StepContext,
): Promise<StepResult> {
  try {
    const effect = await ledger.perform(
      {
        type: serviceEffectType(target.environment.runtime),
        reference: target.name,
        subject: operation.subject,
        owner: target.owner,
        environment: target.environmentName,
        run: `operation:${operation.id}`,
        step: operation.kind,
        intent: {
          repository: target.repository,
          commit: version.commit,
          ...(target.criticalPath ? { criticalPath: target.criticalPath } : {}),
          ...(version.image ? { image: version.image } : {}),
        },
      },
      actor,
      { signal },
    );
    return {
      outcome: 'done',
      message: `${short(version.commit)} is healthy${
        effect.details.url ? ` at ${effect.details.url}` : ''
      }`,
    };
  } catch (error) {
    signal.throwIfAborted();
    const status = await services.find(target.name);
    if (
      status?.deployment?.status === 'failed' &&
      status.deployment.commit === version.commit
    ) {
      // The version is broken; once more would be the same.
      throw new InputError(
        status.deployment.message ?? (error as Error).message,
      );
    }
    throw error;
  }
}

abstract class VersionHandler implements OperationHandler {
  abstract readonly kind: 'deploy' | 'rollback';
  readonly onFailure = 'stop';
  readonly stepTimeMs = STEP_TIME_MS;
  protected readonly deps: ServiceKindDeps;

  constructor(deps: ServiceKindDeps) {
    this.deps = deps;
  }

  abstract parseInput(input: JsonObject): JsonObject;
  abstract plan(request: PlanRequest): Promise<PlanDraft>;

  protected draft(
    target: ServiceTarget,
    version: { commit: string; image?: string },
    verb: string,
  ): PlanDraft {
    const { record, name } = target;
    const where = `${name} in ${
      target.environment.title ?? target.environment.name
    }`;
    const runs =
      record?.desired === 'running' &&
      record.state === 'healthy' &&
      record.runningCommit === version.commit &&
      record.deployCommit === version.commit &&
      record.image === version.image;
    const before = record?.runningCommit;
    const change = record ? 'change' : 'create';
    return draft(
      target,
      [
        {
          // The step carries what was planned, not what a branch says later.
          id: ['version', version.commit, version.image]
            .filter(Boolean)
            .join('/'),
          title: `${verb} ${short(version.commit)} as ${where}`,
          change: runs ? 'keep' : change,
          detail: runs
            ? 'This version runs already'
            : `${
                before
                  ? `${short(
                      before,
                    )} runs now; it stays or comes back when the new version does not become healthy`
                  : 'Nothing of it runs there yet'
              }${version.image ? `. Image ${version.image}` : ''}`,
        },
      ],
      { commit: version.commit, image: version.image ?? null },
    );
  }

  async run(
    operation: OperationRecord,
    step: OperationStep,
    context: StepContext,
  ) {
    const [, planned, ...rest] = step.id.split('/');
    const target = await this.deps.targets.find(
      operation.subject,
      operation.environment,
    );
    return deployVersion(
      this.deps,
      operation,
      target,
      { commit: planned, image: rest.join('/') || undefined },
      context,
    );
  }
}

/** Brings a version of a component up in an environment. */
export class DeployHandler extends VersionHandler {
  readonly kind = 'deploy';

  parseInput(input: JsonObject) {
    return parseInput(deployInput, input);
  }

  async plan({ subject, environment, input }: PlanRequest) {
    const { targets, host, images } = this.deps;
    const target = await targets.find(subject, environment);
    const wanted = input as z.infer<typeof deployInput>;
    const id = await host.resolve(
      target.repository,
      wanted.commit ?? wanted.ref,
    );
    const found =
      wanted.image ??
      (target.environment.runtime === 'local'
        ? undefined
        : await images.find(subject, id));
    return this.draft(target, { commit: id, image: found }, 'Deploy');
  }
}

/** Brings a version back that was healthy in the environment before. */
export class RollbackHandler extends VersionHandler {
  readonly kind = 'rollback';

  parseInput(input: JsonObject) {
    return parseInput(z.strictObject({ commit }), input);
  }

  async plan({ subject, environment, input }: PlanRequest) {
    const target = await this.deps.targets.require(subject, environment);
    const versions = await this.deps.services.versions(target.name);
    const version = versions.find(one => one.commit === input.commit);
    if (!version) {
      throw new InputError(
        `input.commit: ${target.name} never ran this version; it ran ${
          versions.map(one => short(one.commit)).join(', ') || 'none so far'
        }`,
      );
    }
    return this.draft(target, version, 'Roll back to');
  }
}
