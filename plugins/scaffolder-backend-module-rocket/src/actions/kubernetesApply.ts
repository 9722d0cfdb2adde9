import { readdir } from 'node:fs/promises';
import { resolveSafeChildPath } from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import {
  createTemplateAction,
  serializeDirectoryContents,
} from '@backstage/plugin-scaffolder-node';
import type { EffectRequest } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { effectOf } from '../lib/effects';
import { explain } from '../lib/explain';

const ENTITY_REF = /^[a-zA-Z]+:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/;
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_LABEL = 'must be lower-case letters, digits and hyphens, at most 63';

const examples = [
  {
    description: 'Run a version on staging, in a namespace of its own.',
    example: `steps:
  - id: apply
    name: Run it on staging
    action: rocket:kubernetes:apply
    input:
      name: wallet-transactions
      entityRef: component:default/wallet-transactions
      owner: group:default/ledger
      environment: staging
      tier: staging
      cluster: staging-1
      namespace: wallet-transactions-staging
      commit: 3f6c1f0b8d5e4a7c9b2d1e0f3a4b5c6d7e8f9a0b
      image: registry.example.com/wallet-transactions@sha256:4d2f…`,
  },
  {
    description:
      'Apply to a namespace that the platform team made, with Secrets that are there.',
    example: `steps:
  - id: apply
    name: Run it on staging
    action: rocket:kubernetes:apply
    input:
      name: wallet-transactions
      entityRef: component:default/wallet-transactions
      owner: group:default/ledger
      environment: staging
      tier: staging
      cluster: staging-1
      namespace: payments
      createNamespace: false
      externalSecrets: false
      commit: 3f6c1f0b8d5e4a7c9b2d1e0f3a4b5c6d7e8f9a0b
      image: registry.example.com/wallet-transactions@sha256:4d2f…`,
  },
];

/** The manifests of the workspace, by path. Links would lead out of it. */
async function manifestsOf(
  workspace: string,
  folder: string,
): Promise<{ [path: string]: string }> {
  const root = resolveSafeChildPath(workspace, folder);
  const entries = await readdir(root, {
    recursive: true,
    withFileTypes: true,
  }).catch(() => []);
  const link = entries.find(entry => entry.isSymbolicLink());
  if (link) throw new InputError(`path: ${link.name} is a link`);
  const files = entries.length
    ? await serializeDirectoryContents(root, {
        globPatterns: ['**/*.yaml', '**/*.yml', '**/Kustomization'],
      })
    : [];
  if (!files.length)
    throw new InputError(
      `path: there are no manifests in ${folder}; a step before has to fetch them`,
    );
  return Object.fromEntries(
    files.map(file => [file.path, file.content.toString('utf8')]),
  );
}

/** Brings a version up on a cluster and waits until it is ready. */
export function createKubernetesApplyAction(options: {
  provisioning: ProvisioningService;
}) {
  const { provisioning } = options;
  return createTemplateAction({
    id: 'rocket:kubernetes:apply',
    description:
      'Renders the manifests of the workspace for an environment, has the API server check all of them, applies them by server-side apply in a namespace that is made for them, and waits until the version is ready; a version that runs already goes on until then and gets the requests back when the new one fails. Running it again changes only what is not as intended. A dry run asks the API server and changes nothing.',
    examples,
    supportsDryRun: true,
    schema: {
      input: {
        name: z => z.string().regex(NAME, DNS_LABEL).describe('Its name'),
        entityRef: z =>
          z
            .string()
            .max(250)
            .regex(ENTITY_REF, 'must be a full entity ref: kind:namespace/name')
            .describe('Entity ref of the component'),
        owner: z =>
          z
            .string()
            .max(250)
            .regex(ENTITY_REF, 'must be a full entity ref: kind:namespace/name')
            .describe('Entity ref of the owner, a Group or User'),
        environment: z =>
          z.string().regex(NAME, DNS_LABEL).describe('Name of the environment'),
        tier: z =>
          z
            .enum(['development', 'staging', 'production'])
            .describe('Chooses the overlay: dev, staging or production'),
        cluster: z =>
          z
            .string()
            .min(1)
            .max(253)
            .describe('Name in kubernetes.clusterLocatorMethods'),
        namespace: z =>
          z.string().regex(NAME, DNS_LABEL).describe('Where it runs'),
        createNamespace: z =>
          z
            .boolean()
            .default(true)
            .describe('Whether the namespace is made, or has to be there'),
        externalSecrets: z =>
          z
            .boolean()
            .default(true)
            .describe(
              'Whether the cluster has the External Secrets Operator, or the Secrets have to be there',
            ),
        commit: z =>
          z
            .string()
            .regex(/^[0-9a-f]{40}$/, 'must be a full SHA')
            .describe('Commit that the image was built of'),
        image: z =>
          z
            .string()
            .max(500)
            .regex(/@sha256:[0-9a-f]{64}$/, 'must end with its digest')
            .describe('Image by its digest'),
        path: z =>
          z
            .string()
            .max(250)
            .default('deploy/kubernetes')
            .describe('Folder of the manifests in the workspace'),
      },
      output: {
        url: z => z.string().describe('Where it answers'),
      },
    },
    async handler(ctx) {
      const { input } = ctx;
      const credentials = await ctx.getInitiatorCredentials();
      const files = await manifestsOf(ctx.workspacePath, input.path);
      const common = {
        subject: input.entityRef,
        owner: input.owner,
        environment: input.environment,
      };
      const { cluster, namespace, tier } = input;
      const effects: EffectRequest[] = [];
      if (input.createNamespace)
        effects.push(
          effectOf(ctx, 'kubernetes', {
            ...common,
            type: 'kubernetes.namespace',
            reference: `${cluster}/${namespace}`,
            intent: { cluster, namespace, tier },
          }),
        );
      effects.push(
        effectOf(ctx, 'kubernetes', {
          ...common,
          type: 'kubernetes.workload',
          reference: `${cluster}/${namespace}/${input.name}`,
          intent: {
            cluster,
            namespace,
            tier,
            environment: input.environment,
            service: input.name,
            commit: input.commit,
            image: input.image,
            // The namespace is an effect of its own, or somebody else's.
            createNamespace: false,
            externalSecrets: input.externalSecrets,
            files,
          },
        }),
      );

      if (ctx.isDryRun) {
        const { passed, findings } = await provisioning.preflight(
          { effects },
          { credentials },
        );
        for (const { level, subject, message } of findings)
          ctx.logger.info(`Dry run: ${level}: ${subject}: ${message}`);
        if (!passed)
          throw new InputError(
            `${input.name} could not be applied: ${findings
              .filter(({ level }) => level === 'error')
              .map(({ message }) => message)
              .join('; ')}`,
          );
        return;
      }

      const made: string[] = [];
      for (const effect of effects) {
        try {
          const { id } = await provisioning.requestEffect(effect, {
            credentials,
          });
          const { details } = await provisioning.waitForEffect(id, {
            credentials,
            signal: ctx.signal,
            onProgress: message => ctx.logger.info(message),
          });
          made.push(`${effect.type} ${effect.reference}`);
          if (typeof details.url === 'string') ctx.output('url', details.url);
        } catch (error) {
          throw explain({
            failed: `${input.name} could not be brought up on ${cluster}`,
            error,
            exists: [...made, 'what the earlier steps made'].join(', and '),
            next: 'see to the reason and retry this task; what exists is found again. Or undo the run on the page of the component',
          });
        }
      }
      ctx.logger.info(`${input.name} is ready in ${cluster}/${namespace}`);
    },
  });
}
