import { parseEntityRef } from '@backstage/catalog-model';
import { ConflictError, InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type {
  OperationState,
  OperationStep,
  PlanRequest,
  PlanStep,
} from '@rocket/plugin-provisioning-common';
import { z } from 'zod';
import { databaseReference } from '../effects/handlers/PostgresDatabaseHandler';
import type { EffectLedger } from '../effects/EffectLedger';
import type { GitHost } from '../git/GitHost';
import { parseManifest } from '../local/manifest';
import { parseInput } from '../operations/input';
import type {
  OperationHandler,
  PlanDraft,
  StepContext,
  StepResult,
} from '../operations/OperationHandler';
import type { OperationRecord } from '../operations/OperationStore';
import {
  deployVersion,
  type ServiceKindDeps,
} from '../operations/serviceKinds';
import type { ServiceImages } from '../operations/ServiceImages';
import type { ServiceTargets } from '../operations/ServiceTargets';
import { costOf } from './EnvironmentService';
import type { EnvironmentRecord, EnvironmentStore } from './EnvironmentStore';
import { environmentName, environmentServiceName } from './names';
import type { EnvironmentSettings } from './settings';

const HOUR_MS = 3_600_000;

/** Name of an environment on demand. */
export const label = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{1,61}[a-z0-9]$/,
    'must be a DNS label: 3 to 63 lower-case letters, digits and dashes',
  );
const createInput = z.strictObject({
  branch: z.string().min(1).max(200),
  name: label.optional(),
  ttlHours: z
    .number()
    .positive()
    .max(24 * 366)
    .optional(),
});

export interface EnvironmentKindDeps extends Pick<ServiceKindDeps, 'services'> {
  store: EnvironmentStore;
  settings: EnvironmentSettings;
  targets: ServiceTargets;
  images: Pick<ServiceImages, 'find'>;
  host: Pick<GitHost, 'resolve' | 'readFile'>;
  ledger: EffectLedger;
  now: () => number;
}

const daysOf = (ms: number) => Math.max(0, Math.floor(ms / (24 * HOUR_MS)));

/** Makes an environment for a branch: its own service from the branch's commit, with its own database. */
export class CreateEnvironmentHandler implements OperationHandler {
  readonly kind = 'environment-create';
  readonly onFailure = 'stop';
  readonly stepTimeMs = 30 * 60_000;
  readonly #deps: EnvironmentKindDeps;

  constructor(deps: EnvironmentKindDeps) {
    this.#deps = deps;
  }

  parseInput(input: JsonObject) {
    return parseInput(createInput, input);
  }

  async plan(request: PlanRequest): Promise<PlanDraft> {
    const { settings, targets, host, images } = this.#deps;
    const { onDemand } = settings;
    const { branch, ...input } = request.input as z.infer<typeof createInput>;
    const component = parseEntityRef(request.subject).name.toLocaleLowerCase(
      'en-US',
    );
    const name =
      input.name ?? request.environment ?? environmentName(branch, component);
    if (request.environment && request.environment !== name) {
      throw new InputError(
        `environment: is '${request.environment}', but input.name is '${name}'`,
      );
    }
    if (settings.configured.has(name)) {
      throw new ConflictError(
        `'${name}' is an environment of the configuration; choose another name`,
      );
    }
    const ttlMs = input.ttlHours ? input.ttlHours * HOUR_MS : onDemand.ttlMs;
    if (ttlMs > onDemand.maxTtlMs) {
      throw new InputError(
        `input.ttlHours: at most ${onDemand.maxTtlMs / HOUR_MS} hours`,
      );
    }
    const base = await targets.base(request.subject);
    await this.#requireRoom(name, base.owner);
    const commit = await host.resolve(base.repository, branch);
    const local = onDemand.runtime === 'local';
    const image = local
      ? undefined
      : await images.find(request.subject, commit);
    const manifest = local
      ? await this.#manifest(base.repository, commit)
      : undefined;
    const service = environmentServiceName(component, name);
    const steps: PlanStep[] = [];
    if (manifest?.database) {
      steps.push({
        id: 'database',
        title: `Make the database of ${service}`,
        change: 'create',
        detail: 'A database of its own; it goes with the environment',
      });
    }
    steps.push({
      id: ['version', commit, image].filter(Boolean).join('/'),
      title: `Bring up ${commit.slice(0, 12)} of ${branch} as ${service}`,
      change: 'create',
      detail: `${
        manifest?.seed
          ? 'Its database is filled by the seed command of rocket.yaml. '
          : ''
      }It stands for ${ttlMs / HOUR_MS} hours. ${costOf(onDemand).note}.`,
    });
    return {
      environment: name,
      owner: base.owner,
      owners: [base.owner],
      environments: [],
      steps,
      warnings:
        manifest?.database && !manifest.seed
          ? ['rocket.yaml names no seed command: the database begins empty']
          : [],
      basis: { name, commit, service, ttlMs, runtime: onDemand.runtime },
    };
  }

  async admit(operation: OperationRecord): Promise<void> {
    const { store, settings, now } = this.#deps;
    const { onDemand } = settings;
    const name = operation.environment!;
    const { branch, ttlHours } = operation.input as z.infer<typeof createInput>;
    const component = parseEntityRef(operation.subject).name.toLocaleLowerCase(
      'en-US',
    );
    const createdAt = new Date(now()).toISOString();
    const record: EnvironmentRecord = {
      name,
      subject: operation.subject,
      owner: operation.owner,
      branch,
      commit: versionOf(operation).commit,
      service: environmentServiceName(component, name),
      runtime: onDemand.runtime,
      state: 'requested',
      requestedBy: operation.requestedBy,
      createdAt,
      changedAt: createdAt,
      expiresAt: new Date(
        now() + (ttlHours ? ttlHours * HOUR_MS : onDemand.ttlMs),
      ).toISOString(),
      extensionsLeft: onDemand.extensions,
      noticed: false,
      removals: 0,
    };
    const outcome = await store.insert(record, onDemand.quotaPerOwner);
    // Both say why; the ledger has nothing of it yet.
    if (outcome !== 'inserted') await this.#requireRoom(name, operation.owner);
    if (outcome === 'full') throw new ConflictError('The quota is used up');
    if (outcome === 'taken') throw new ConflictError(`'${name}' is taken`);
  }

  async run(
    operation: OperationRecord,
    step: OperationStep,
    context: StepContext,
  ): Promise<StepResult> {
    const { store, targets, ledger } = this.#deps;
    const name = operation.environment!;
    await store.change(name, { state: 'provisioning', message: undefined }, [
      'requested',
      'provisioning',
      'failed',
    ]);
    const target = await targets.find(operation.subject, name);
    if (step.id === 'database') {
      await ledger.perform(
        {
          type: 'postgres.database',
          reference: databaseReference(target.name),
          subject: operation.subject,
          owner: operation.owner,
          environment: name,
          run: `operation:${operation.id}`,
          step: step.id,
          intent: { service: target.name },
        },
        context.actor,
        { signal: context.signal },
      );
      return { outcome: 'done' };
    }
    return deployVersion(
      this.#deps,
      operation,
      target,
      versionOf(operation),
      context,
    );
  }

  async ended(
    operation: OperationRecord,
    state: OperationState,
    message?: string,
  ): Promise<void> {
    const { store, services } = this.#deps;
    const name = operation.environment!;
    const record = await store.get(name);
    if (!record) return;
    if (state === 'done') {
      const status = await services.find(record.service);
      await store.change(
        name,
        { state: 'ready', message: undefined, url: status?.url },
        ['requested', 'provisioning', 'failed'],
      );
      return;
    }
    if (record.state === 'requested') {
      // Nothing was made; the name is free again.
      await store.drop(name);
      return;
    }
    await store.change(name, { state: 'failed', message: message ?? state }, [
      'provisioning',
      'failed',
    ]);
  }

  /** @throws ConflictError with numbers and the way out. */
  async #requireRoom(name: string, owner: string) {
    const { store, settings, now } = this.#deps;
    const existing = await store.get(name);
    if (existing && existing.state !== 'deleted') {
      throw new ConflictError(
        `There is an environment '${name}' already: ${existing.branch} of ${existing.subject}, ${existing.state}; choose another name`,
      );
    }
    const standing = await store.list({ owner });
    const { quotaPerOwner } = settings.onDemand;
    if (standing.length >= quotaPerOwner) {
      const oldest = [...standing].sort((a, b) =>
        a.changedAt < b.changedAt ? -1 : 1,
      )[0];
      throw new ConflictError(
        `${owner} has ${standing.length} of ${quotaPerOwner} environments${
          oldest
            ? `; the oldest is ${oldest.name} (${
                oldest.state
              }), unchanged for ${daysOf(
                now() - Date.parse(oldest.changedAt),
              )} days: delete it?`
            : ''
        }`,
      );
    }
  }

  async #manifest(repository: string, commit: string) {
    const text = await this.#deps.host.readFile(
      repository,
      commit,
      'rocket.yaml',
    );
    if (text === undefined) {
      throw new InputError(
        'input.branch: it has no file rocket.yaml at its root; that says how the service is started',
      );
    }
    return parseManifest(text);
  }
}

function versionOf({ steps }: OperationRecord) {
  const planned = steps.find(({ id }) => id.startsWith('version/'))!;
  const [, commit, ...image] = planned.id.split('/');
  return { commit, image: image.join('/') || undefined };
}
