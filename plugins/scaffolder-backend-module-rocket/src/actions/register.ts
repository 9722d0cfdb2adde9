import { setTimeout as sleep } from 'node:timers/promises';
import {
  parseEntityRef,
  stringifyEntityRef,
  type Entity,
} from '@backstage/catalog-model';
import { InputError } from '@backstage/errors';
import { createTemplateAction } from '@backstage/plugin-scaffolder-node';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import {
  ANNOTATION_SOURCE_COMMIT,
  COMMIT_PATTERN,
  type RegisterResponse,
} from '@rocket/plugin-ci-registry-common';
import type { CiRegistryService } from '@rocket/plugin-ci-registry-node';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { effectOf } from '../lib/effects';
import { mainEntityRef, readEntities } from '../lib/entities';
import { explain, reasonOf } from '../lib/explain';

const POLL_MS = 400;
const DEFAULT_WAIT_SECONDS = 30;

const examples = [
  {
    description: 'Register what was published.',
    example: `steps:
  - id: register
    name: Register
    action: rocket:register
    input:
      repository: \${{ steps.publish.output.cloneUrl }}
      commit: \${{ steps.publish.output.commit }}`,
  },
];

/** The main entity's owner, in full. */
function ownerOf(entities: Entity[], main: string): string {
  const entity = entities.find(one => stringifyEntityRef(one) === main)!;
  const owner = entity.spec?.owner;
  if (typeof owner !== 'string' || !owner) {
    throw new InputError(`spec.owner: ${main} needs an owner`);
  }
  return stringifyEntityRef(
    parseEntityRef(owner, {
      defaultKind: 'group',
      defaultNamespace: entity.metadata.namespace ?? 'default',
    }),
  );
}

/** Pushes the workspace's entities through the same door as a pipeline. */
export function createRegisterAction(options: {
  registry: CiRegistryService;
  catalog: CatalogService;
  provisioning: ProvisioningService;
  /** Default: 400 ms. */
  pollMs?: number;
}) {
  const { registry, catalog, provisioning, pollMs = POLL_MS } = options;
  return createTemplateAction({
    id: 'rocket:register',
    description:
      'Registers the entities of a catalog-info.yaml in the workspace by pushing them, as a pipeline does, and waits until the catalog shows them. Files named by $text, $json and $yaml become part of the entity. Running it again changes nothing.',
    examples,
    supportsDryRun: true,
    schema: {
      input: {
        repository: z =>
          z
            .string()
            .min(1)
            .max(500)
            .describe(
              'Clone URL or name of the repository that owns the entities',
            ),
        commit: z =>
          z
            .string()
            .regex(COMMIT_PATTERN)
            .describe('Full id of the commit that holds them'),
        branch: z => z.string().max(255).optional().describe('Its branch'),
        path: z =>
          z
            .string()
            .optional()
            .describe('File in the workspace. Default: catalog-info.yaml'),
        waitSeconds: z =>
          z
            .number()
            .int()
            .min(0)
            .max(300)
            .optional()
            .describe(
              `How long to wait for the catalog. Default: ${DEFAULT_WAIT_SECONDS}`,
            ),
      },
      output: {
        entityRef: z =>
          z
            .string()
            .describe('Entity ref of the Component, or of the first entity'),
        entityRefs: z =>
          z.array(z.string()).describe('Entity refs of all of them'),
      },
    },
    async handler(ctx) {
      const { repository, commit, branch } = ctx.input;
      const entities = await readEntities(
        ctx.workspacePath,
        ctx.input.path ?? 'catalog-info.yaml',
      );
      const refs = entities.map(entity => stringifyEntityRef(entity));
      const main = mainEntityRef(entities);
      const owner = ownerOf(entities, main);
      ctx.output('entityRef', main);
      ctx.output('entityRefs', refs);
      if (ctx.isDryRun) {
        ctx.logger.info(`Dry run: would register ${refs.join(', ')}`);
        return;
      }

      const credentials = await ctx.getInitiatorCredentials();
      // Kept over a resumed run, so that the push is the same one.
      const time = await ctx.checkpoint({
        key: `register.time.${commit}`,
        fn: async () => new Date().toISOString(),
      });
      // Written before the push, and once more when it is done.
      const effect = effectOf(ctx, 'register', {
        type: 'catalog.entity',
        reference: main,
        subject: main,
        owner,
        intent: {
          repository,
          commit,
          others: refs.filter(ref => ref !== main),
        },
      });
      let answer: RegisterResponse;
      try {
        await provisioning.requestEffect(
          { ...effect, deferred: true },
          { credentials },
        );
        answer = await registry.register(
          {
            source: {
              repository,
              commit,
              ...(branch ? { branch } : {}),
              pipeline: `scaffolder:${ctx.task.id}`,
              time,
            },
            entities,
          },
          { credentials },
        );
        const { id } = await provisioning.requestEffect(effect, {
          credentials,
        });
        await provisioning.waitForEffect(id, {
          credentials,
          signal: ctx.signal,
        });
      } catch (error) {
        throw explain({
          failed: `Could not register ${refs.join(', ')}`,
          error,
          exists: `the repository ${repository} and whatever the earlier steps made; nothing new is in the catalog`,
          next: 'see to the reason and retry this task, or let the pipeline of the repository register it',
        });
      }
      for (const { entityRef, outcome } of answer.results) {
        ctx.logger.info(`${entityRef}: ${outcome}`);
      }

      const changed = new Set(
        answer.results
          .filter(r => r.outcome === 'created' || r.outcome === 'updated')
          .map(r => r.entityRef),
      );
      const isShown = (entity: Entity | undefined, ref: string) =>
        entity !== undefined &&
        (!changed.has(ref) ||
          entity.metadata.annotations?.[ANNOTATION_SOURCE_COMMIT] === commit);

      const end =
        Date.now() + (ctx.input.waitSeconds ?? DEFAULT_WAIT_SECONDS) * 1000;
      let waiting = refs;
      let problem: string | undefined;
      for (;;) {
        try {
          const { items } = await catalog.getEntitiesByRefs(
            {
              entityRefs: waiting,
              fields: ['metadata.annotations', 'metadata.name', 'kind'],
            },
            { credentials },
          );
          waiting = waiting.filter((ref, i) => !isShown(items[i], ref));
          problem = undefined;
        } catch (error) {
          problem = reasonOf(error);
        }
        if (!waiting.length) {
          ctx.logger.info('The catalog shows it');
          return;
        }
        if (Date.now() >= end || ctx.signal?.aborted) {
          break;
        }
        await sleep(pollMs, undefined, { signal: ctx.signal }).catch(() => {});
      }
      ctx.logger.warn(
        `${waiting.join(', ')} is stored, but the catalog does not show it yet${
          problem ? ` (${problem})` : ''
        }; it will in a moment, nothing needs to be done`,
      );
    },
  });
}
