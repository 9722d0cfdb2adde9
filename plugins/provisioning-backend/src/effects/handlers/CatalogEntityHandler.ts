import type { AuthService } from '@backstage/backend-plugin-api';
import { stringifyEntityRef } from '@backstage/catalog-model';
import { ConflictError, NotFoundError } from '@backstage/errors';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import {
  ANNOTATION_SOURCE_REPOSITORY,
  normalizeRepository,
  type RegisteredEntity,
} from '@rocket/plugin-ci-registry-common';
import type { CiRegistryService } from '@rocket/plugin-ci-registry-node';
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
import { entityRef, parse, plainText } from '../../service/http';
import { parseIntent } from './intent';

const intentSchema = z.strictObject({
  /** URL or name of the repository that pushes it; its mark in the registry. */
  repository: plainText(500).min(1),
  /** Absent in a preflight, when there is none yet. */
  commit: z
    .string()
    .regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, 'must be a full commit id')
    .optional(),
  /** Further entities of the same push. */
  others: z.array(entityRef).max(100).optional(),
});

type Intent = z.infer<typeof intentSchema>;

/**
 * Entities that a run registered through the CI registry; the reference is the
 * main one. Whoever registers them pushes them (see `EffectLedger.expect`);
 * here they are looked at and given up again. Never touches what another
 * repository holds.
 */
export class CatalogEntityHandler implements EffectHandler {
  readonly type = 'catalog.entity';
  readonly title = 'Catalog entry';
  readonly retireOrder = 60;
  readonly #registry: CiRegistryService;
  readonly #catalog: CatalogService;
  readonly #auth: AuthService;

  constructor(deps: {
    registry: CiRegistryService;
    catalog: CatalogService;
    auth: AuthService;
  }) {
    this.#registry = deps.registry;
    this.#catalog = deps.catalog;
    this.#auth = deps.auth;
  }

  checkReference(reference: string) {
    parse(z.object({ reference: entityRef }), { reference });
  }

  parseIntent(intent: JsonObject) {
    return parseIntent(intentSchema, intent);
  }

  describeUndo({ reference, intent }: Pick<Effect, 'reference' | 'intent'>) {
    const { others } = intent as Intent;
    return `Gives up ${[reference, ...(others ?? [])].join(
      ', ',
    )} in the CI registry; the catalog drops it after the grace time`;
  }

  async preflight(
    request: Pick<Effect, 'reference' | 'intent'>,
    context: EffectContext,
  ): Promise<PreflightFinding[]> {
    const credentials =
      context.credentials ?? (await this.#auth.getOwnServiceCredentials());
    const refs = refsOf(request);
    const { items } = await this.#catalog.getEntitiesByRefs(
      { entityRefs: refs },
      { credentials },
    );
    const findings = items.flatMap((entity, index): PreflightFinding[] => {
      if (!entity) return [];
      const source =
        entity.metadata.annotations?.[ANNOTATION_SOURCE_REPOSITORY];
      return [
        {
          reason: 'name-taken',
          level: 'error',
          subject: refs[index],
          message: `The catalog has ${stringifyEntityRef(entity)} already${
            source ? `, from ${source}` : ''
          }; choose another name`,
        },
      ];
    });
    const registered = await this.#lookUp(request);
    for (const entity of registered) {
      if (
        entity &&
        entity.state === 'active' &&
        !findings.some(({ subject }) => subject === entity.entityRef)
      ) {
        findings.push({
          reason: 'name-taken',
          level: 'error',
          subject: entity.entityRef,
          message: `The CI registry has ${entity.entityRef} already, from ${entity.source.repository}; choose another name`,
        });
      }
    }
    return findings;
  }

  async apply(effect: Effect): Promise<JsonObject> {
    const [main] = await this.#lookUp(effect);
    if (!main || main.state !== 'active') {
      throw new NotFoundError(
        `${effect.reference} is not registered yet; run the step that registers it again`,
      );
    }
    if (!isOf(main, effect)) {
      throw new ConflictError(
        `${effect.reference} is registered from ${main.source.repository} and not from ${effect.intent.repository}`,
      );
    }
    return {
      entityRef: main.entityRef,
      repository: main.source.repository,
      commit: main.source.commit,
    };
  }

  async observe(effect: Effect): Promise<Observation> {
    const observedAt = new Date().toISOString();
    const found = await this.#lookUp(effect);
    const here = found.filter(entity => entity && entity.state === 'active');
    if (!here.length) return { state: 'absent', observedAt };
    const refs = refsOf(effect);
    const differences = found.flatMap((entity, index) => {
      if (!entity || entity.state !== 'active') {
        return [
          {
            field: refs[index],
            intended: 'registered',
            found: entity?.state ?? 'missing',
          },
        ];
      }
      return isOf(entity, effect)
        ? []
        : [
            {
              field: `${refs[index]} repository`,
              intended: String(effect.intent.repository),
              found: entity.source.repository,
            },
          ];
    });
    return differences.length
      ? { state: 'drifted', differences, observedAt }
      : { state: 'present', observedAt };
  }

  /** Both modes: the repository gives the entities up. */
  async remove(effect: Effect): Promise<UndoResult> {
    const found = await this.#lookUp(effect);
    const ours = found.filter(
      (entity): entity is RegisteredEntity =>
        entity?.state === 'active' && isOf(entity, effect),
    );
    if (!ours.length) return { outcome: 'done' };
    const { gone, warnings } = await this.#registry.push(
      {
        source: {
          repository: String(effect.intent.repository),
          commit: ours[0].source.commit,
          pipeline: effect.run,
          time: new Date().toISOString(),
        },
        removed: ours.map(({ entityRef: ref }) => ref),
      },
      { credentials: await this.#auth.getOwnServiceCredentials() },
    );
    const left = (await this.#lookUp(effect)).filter(
      entity => entity?.state === 'active' && isOf(entity, effect),
    );
    if (left.length) {
      return {
        outcome: 'retry',
        afterMs: 5_000,
        message: `The CI registry keeps ${left
          .map(entity => entity!.entityRef)
          .join(', ')}: ${warnings.join('; ') || 'no reason was given'}`,
      };
    }
    return {
      outcome: 'done',
      message: `Gave up ${gone.join(
        ', ',
      )}; the catalog drops it after the grace time`,
    };
  }

  async #lookUp(effect: Pick<Effect, 'reference' | 'intent'>) {
    const credentials = await this.#auth.getOwnServiceCredentials();
    return Promise.all(
      refsOf(effect).map(ref => this.#registry.getEntity(ref, { credentials })),
    );
  }
}

function refsOf({ reference, intent }: Pick<Effect, 'reference' | 'intent'>) {
  return [reference, ...((intent as Intent).others ?? [])];
}

function isOf(entity: RegisteredEntity, effect: Pick<Effect, 'intent'>) {
  const wanted = normalizeRepository(String(effect.intent.repository));
  return normalizeRepository(entity.source.repository) === wanted;
}
