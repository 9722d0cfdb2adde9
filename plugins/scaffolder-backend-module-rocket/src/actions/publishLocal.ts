import { readdir } from 'node:fs/promises';
import {
  type BackstageCredentials,
  type DiscoveryService,
  resolveSafeChildPath,
} from '@backstage/backend-plugin-api';
import { ANNOTATION_ORIGIN_LOCATION } from '@backstage/catalog-model';
import { ConflictError, InputError } from '@backstage/errors';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import { createTemplateAction } from '@backstage/plugin-scaffolder-node';
import { ANNOTATION_SOURCE_REPOSITORY } from '@rocket/plugin-ci-registry-common';
import { SERVICE_NAME_PATTERN } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { effectOf } from '../lib/effects';
import { explain } from '../lib/explain';
import { GitPublisher } from '../lib/git';

const examples = [
  {
    description: 'Publish the workspace as the repository "card-limits".',
    example: `steps:
  - id: publish
    name: Publish
    action: rocket:publish:local
    input:
      name: card-limits
      owner: group:default/cards
      description: Limits per card`,
  },
  {
    description: 'Publish a folder of the workspace with an author.',
    example: `steps:
  - id: publish
    name: Publish
    action: rocket:publish:local
    input:
      name: card-limits
      owner: group:default/cards
      sourcePath: ./service
      gitAuthorName: Ada Example
      gitAuthorEmail: ada@example.com`,
  },
];

/** Creates a repository on Rocket's own Git host and pushes the workspace to it. */
export function createPublishLocalAction(options: {
  provisioning: ProvisioningService;
  discovery: DiscoveryService;
  catalog: CatalogService;
}) {
  const { provisioning, discovery, catalog } = options;

  /** Registration would refuse it at the end; better before anything exists. */
  async function refuseForeignComponent(
    name: string,
    credentials: BackstageCredentials,
  ): Promise<void> {
    const entityRef = `component:default/${name}`;
    const entity = await catalog.getEntityByRef(entityRef, { credentials });
    const annotations = entity?.metadata.annotations ?? {};
    const source = annotations[ANNOTATION_SOURCE_REPOSITORY];
    if (entity && source !== name && !source?.endsWith(`/git/${name}`)) {
      throw new ConflictError(
        `the catalog already has ${entityRef} from ${
          source ?? annotations[ANNOTATION_ORIGIN_LOCATION] ?? 'elsewhere'
        }`,
      );
    }
  }

  return createTemplateAction({
    id: 'rocket:publish:local',
    description:
      "Creates a repository on Rocket's own Git host and pushes the workspace as its first commit. Running it again with the same files changes nothing.",
    examples,
    supportsDryRun: true,
    schema: {
      input: {
        name: z =>
          z
            .string()
            .regex(SERVICE_NAME_PATTERN)
            .describe(
              'Name of the repository: 3 to 63 small letters, digits and hyphens, a letter first',
            ),
        owner: z =>
          z
            .string()
            .min(1)
            .describe('Entity ref of the owner, a Group or User'),
        entityRef: z =>
          z
            .string()
            .optional()
            .describe(
              'Entity ref of the Component that it is for. Default: component:default/<name>',
            ),
        description: z =>
          z.string().max(500).optional().describe('What it is, in one line'),
        sourcePath: z =>
          z
            .string()
            .optional()
            .describe('Folder of the workspace to publish. Default: all of it'),
        commitMessage: z =>
          z
            .string()
            .min(1)
            .max(500)
            .optional()
            .describe('Default: "Create <name> from a golden template"'),
        gitAuthorName: z =>
          z
            .string()
            .min(1)
            .max(100)
            .regex(/^[^<>\r\n]+$/)
            .optional()
            .describe('Author of the commit. Default: who runs the template'),
        gitAuthorEmail: z =>
          z
            .string()
            .max(254)
            .regex(/^[^<>\s]+@[^<>\s]+$/)
            .optional()
            .describe(
              "Author's address. Default: that of who runs the template",
            ),
      },
      output: {
        repository: z => z.string().describe('Name of the repository'),
        cloneUrl: z => z.string().describe('URL to clone it over HTTP'),
        defaultBranch: z => z.string().describe('Branch that was pushed'),
        commit: z => z.string().describe('Full id of the pushed commit'),
      },
    },
    async handler(ctx) {
      const { name, owner, description } = ctx.input;
      if (!SERVICE_NAME_PATTERN.test(name)) {
        throw new InputError(
          `name: "${name}" must be 3 to 63 small letters, digits and hyphens, a letter first`,
        );
      }
      const workTree = ctx.input.sourcePath
        ? resolveSafeChildPath(ctx.workspacePath, ctx.input.sourcePath)
        : ctx.workspacePath;
      const files = await readdir(workTree).catch(() => []);
      if (!files.length) {
        throw new InputError(
          `sourcePath: there are no files in ${
            ctx.input.sourcePath ?? 'the workspace'
          }; fetch a template first`,
        );
      }

      const credentials = await ctx.getInitiatorCredentials();
      const git = new GitPublisher({
        gitDir: await ctx.createTemporaryDirectory(),
        workTree,
        signal: ctx.signal,
      });
      // Kept over a resumed run, so that the commit is the same one.
      const time = await ctx.checkpoint({
        key: `publish.time.${name}`,
        fn: async () => new Date().toISOString(),
      });
      const profile = ctx.user?.entity?.spec.profile;
      const local = {
        author: {
          name:
            ctx.input.gitAuthorName ??
            profile?.displayName ??
            ctx.user?.entity?.metadata.name ??
            'Rocket',
          email:
            ctx.input.gitAuthorEmail ??
            profile?.email ??
            'rocket@users.noreply.invalid',
        },
        message:
          ctx.input.commitMessage ?? `Create ${name} from a golden template`,
        time,
      };

      if (ctx.isDryRun) {
        const { available, reason } = await provisioning.checkName(name, {
          credentials,
        });
        if (!available) {
          throw new InputError(`name: ${name} is taken: ${reason}`);
        }
        const { commit } = await git.commit(local);
        const base = await discovery.getExternalBaseUrl('provisioning');
        ctx.logger.info(`Dry run: would create ${name} and push ${commit}`);
        ctx.output('repository', name);
        ctx.output('cloneUrl', `${base}/git/${name}.git`);
        ctx.output('defaultBranch', 'main');
        ctx.output('commit', commit);
        return;
      }

      // First, so that the ledger knows what will be pushed: undo tells it from others' commits.
      const { commit, tree } = await git.commit(local);
      let repository: { cloneUrl: string; defaultBranch: string };
      try {
        await refuseForeignComponent(name, credentials);
        const effect = await provisioning.requestEffect(
          effectOf(ctx, 'publish', {
            type: 'git.repository',
            reference: name,
            subject: ctx.input.entityRef ?? `component:default/${name}`,
            owner,
            intent: { ...(description ? { description } : {}), commit, tree },
          }),
          { credentials },
        );
        const { details } = await provisioning.waitForEffect(effect.id, {
          credentials,
          signal: ctx.signal,
        });
        repository = {
          cloneUrl: String(details.cloneUrl),
          defaultBranch: String(details.defaultBranch),
        };
      } catch (error) {
        throw explain({
          failed: `Could not create the repository ${name}`,
          error,
          exists: 'nothing new',
          next: 'choose another name, or see to the reason and run the template again',
        });
      }
      ctx.logger.info(`Repository ${name} is ready at ${repository.cloneUrl}`);

      try {
        // Not in a checkpoint: those are stored.
        const { token } = await provisioning.createGitToken(
          { repository: name, access: 'write' },
          { credentials },
        );
        const pushed = await git.push({
          commit,
          tree,
          token,
          cloneUrl: repository.cloneUrl,
          branch: repository.defaultBranch,
        });
        ctx.logger.info(
          `Branch ${repository.defaultBranch} is at commit ${pushed}`,
        );
        ctx.output('repository', name);
        ctx.output('cloneUrl', repository.cloneUrl);
        ctx.output('defaultBranch', repository.defaultBranch);
        ctx.output('commit', pushed);
      } catch (error) {
        throw explain({
          failed: `Could not push to the repository ${name}`,
          error,
          exists: `the repository ${name} (${repository.cloneUrl}), without this commit; nothing runs`,
          next:
            error instanceof ConflictError
              ? 'run the template again with another name'
              : 'retry this task; files that are already there are not pushed twice',
        });
      }
    },
  });
}
