import { setTimeout as delay } from 'node:timers/promises';
import type { AuthService } from '@backstage/backend-plugin-api';
import type {
  Effect,
  Observation,
  PreflightFinding,
} from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import type { JsonObject } from '@backstage/types';
import { z } from 'zod';
import { parse, plainText, serviceName } from '../../service/http';
import type { ServiceManager } from '../../service/ServiceManager';
import { parseIntent } from './intent';
import { noLocalRuntime } from './noLocalRuntime';

const POLL_MS = 500;

const intentSchema = z.strictObject({
  repository: serviceName,
  /** Absent in a preflight, when there is none yet. */
  commit: z
    .string()
    .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, 'must be a full commit id')
    .optional(),
  criticalPath: plainText(63).optional(),
  /** By digest, for runtimes of containers. */
  image: plainText(500).optional(),
});

type Intent = z.infer<typeof intentSchema>;

/** Type of effect for services of a runtime. */
export const serviceEffectType = (runtime: string) => `${runtime}.service`;

/** A service of a runtime that the backend keeps; the reference is its name. */
export class LocalServiceHandler implements EffectHandler {
  readonly type: string;
  readonly title: string;
  readonly retireOrder = 30;
  readonly #services: ServiceManager;
  readonly #auth: AuthService;
  readonly #elsewhere: readonly string[];

  constructor(deps: {
    services: ServiceManager;
    auth: AuthService;
    /** Id of the runtime. Default: local. */
    runtime?: string;
    /** Names of the environments on other runtimes than the local one. Default: none. */
    elsewhere?: readonly string[];
  }) {
    const { runtime = 'local', elsewhere = [] } = deps;
    this.#elsewhere = elsewhere;
    this.type = serviceEffectType(runtime);
    this.title = `Service on the ${runtime} runtime`;
    this.#services = deps.services;
    this.#auth = deps.auth;
  }

  checkReference(reference: string) {
    parse(z.object({ reference: serviceName }), { reference });
  }

  parseIntent(intent: JsonObject) {
    return parseIntent(intentSchema, intent);
  }

  describeUndo({ reference }: Pick<Effect, 'reference'>) {
    return `Ends the service ${reference} and takes it from the runtime`;
  }

  async preflight(
    request: Pick<Effect, 'reference'>,
  ): Promise<PreflightFinding[]> {
    const name = parse(serviceName, request.reference);
    const subject = `service ${name}`;
    const findings: PreflightFinding[] = [];
    const local = this.type === serviceEffectType('local');
    if (local && !this.#services.hasLocalRuntime) {
      findings.push(noLocalRuntime(subject, this.#elsewhere));
    }
    const existing = await this.#services.find(name);
    if (existing) {
      findings.push({
        reason: 'name-taken',
        level: 'error',
        subject,
        message: `There is a service '${name}' already; it belongs to ${existing.owner}; choose another name`,
      });
    }
    return findings;
  }

  async apply(effect: Effect, context: EffectContext): Promise<JsonObject> {
    const { reference: name } = effect;
    const intent = effect.intent as Intent;
    let status = await this.#services.deploy(
      {
        name,
        entityRef: effect.subject,
        owner: effect.owner,
        repository: intent.repository,
        ...(intent.commit ? { ref: intent.commit } : {}),
        ...(intent.criticalPath ? { criticalPath: intent.criticalPath } : {}),
        ...(intent.image ? { image: intent.image } : {}),
        ...(effect.environment ? { environment: effect.environment } : {}),
      },
      context.credentials ?? (await this.#auth.getOwnServiceCredentials()),
    );
    while (
      status.deployment?.status === 'running' ||
      (status.deployment?.status === 'done' && status.state === 'restarting')
    ) {
      await delay(POLL_MS, undefined, { signal: context.signal });
      status = await this.#services.status(name);
    }
    if (status.deployment?.status === 'failed') {
      throw new Error(
        status.deployment.message ?? status.message ?? 'It did not come up',
      );
    }
    return {
      ...(status.url ? { url: status.url } : {}),
      ...(status.docsUrl ? { docsUrl: status.docsUrl } : {}),
      ...(status.commit ? { commit: status.commit } : {}),
      ...(status.database ? { database: status.database } : {}),
    };
  }

  async observe(effect: Effect): Promise<Observation> {
    const observedAt = new Date().toISOString();
    const status = await this.#services.find(effect.reference);
    if (!status) return { state: 'absent', observedAt };
    const { commit } = effect.intent as Intent;
    const differences = [
      ...(['healthy', 'deploying', 'restarting'].includes(status.state)
        ? []
        : [{ field: 'state', intended: 'healthy', found: status.state }]),
      ...(commit && status.commit !== commit
        ? [
            {
              field: 'commit',
              intended: commit,
              found: status.commit ?? 'none',
            },
          ]
        : []),
    ];
    return differences.length
      ? {
          state: 'drifted',
          differences,
          message: status.message,
          observedAt,
        }
      : { state: 'present', observedAt };
  }

  /** Both modes; data are an effect of their own. */
  remove(effect: Effect): Promise<UndoResult> {
    return this.#services.remove(effect.reference, effect.subject);
  }
}
