import { createTemplateAction } from '@backstage/plugin-scaffolder-node';
import { SERVICE_NAME_PATTERN } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { explain } from '../lib/explain';
import { carryOut, logPlan } from '../lib/operations';
import { createDeployLocalAction } from './deployLocal';

const COMMIT_PATTERN = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const POLL_MS = 2_000;
const DEFAULT_TIMEOUT_SECONDS = 600;

const examples = [
  {
    description: 'Run what was published where services run by default.',
    example: `steps:
  - id: deploy
    name: Run
    action: rocket:deploy
    input:
      name: card-limits
      owner: group:default/cards
      repository: \${{ steps.publish.output.repository }}
      commit: \${{ steps.publish.output.commit }}`,
  },
  {
    description:
      'Bring a commit to an environment; where that needs an approver, the step waits for one.',
    example: `steps:
  - id: staging
    name: Deploy to staging
    action: rocket:deploy
    input:
      name: card-limits
      owner: group:default/cards
      repository: card-limits
      entityRef: component:default/card-limits
      environment: staging
      commit: \${{ steps.publish.output.commit }}
      timeoutSeconds: 3600`,
  },
];

/** Brings a version up: where services run by default, or in a named environment, as an operation that is planned first. */
export function createDeployAction(options: {
  provisioning: ProvisioningService;
  /** Default: 2 s. */
  pollMs?: number;
}) {
  const { provisioning, pollMs = POLL_MS } = options;
  const local = createDeployLocalAction(options);

  return createTemplateAction({
    id: 'rocket:deploy',
    description:
      'Brings a version of a service up and waits until it is healthy. Without an environment it runs where services run by default, as rocket:deploy:local does. With one it is an operation: planned, approved where the environment asks for it, carried out, and taken back when the version is broken. Running it again for the same commit changes nothing. A dry run plans and deploys nothing.',
    examples,
    supportsDryRun: true,
    schema: {
      input: {
        name: z =>
          z
            .string()
            .regex(SERVICE_NAME_PATTERN)
            .describe('Name of the service'),
        owner: z =>
          z
            .string()
            .min(1)
            .describe('Entity ref of the owner, a Group or User'),
        repository: z =>
          z
            .string()
            .regex(SERVICE_NAME_PATTERN)
            .describe("Name of the repository on Rocket's own Git host"),
        environment: z =>
          z
            .string()
            .min(1)
            .max(63)
            .optional()
            .describe('Name of the environment. Default: the local runtime'),
        commit: z =>
          z
            .string()
            .regex(COMMIT_PATTERN)
            .optional()
            .describe('Full id of the commit to run'),
        ref: z =>
          z
            .string()
            .min(1)
            .max(200)
            .optional()
            .describe(
              'Branch or tag, when no commit is given. Default: the default branch',
            ),
        entityRef: z =>
          z
            .string()
            .optional()
            .describe(
              'Entity ref of the Component. Default: component:default/<name>',
            ),
        criticalPath: z =>
          z
            .string()
            .optional()
            .describe(
              'Name or entity ref of the critical path that it serves; goes into its telemetry',
            ),
        timeoutSeconds: z =>
          z
            .number()
            .int()
            .min(10)
            .max(86_400)
            .optional()
            .describe(
              `How long to wait, for an approver too. Default: ${DEFAULT_TIMEOUT_SECONDS}`,
            ),
      },
      output: {
        url: z => z.string().optional().describe('Where the service answers'),
        docsUrl: z => z.string().optional().describe('Its API docs'),
        commit: z => z.string().optional().describe('Commit that runs'),
        operation: z =>
          z.string().optional().describe('Id of the operation, if it was one'),
      },
    },
    async handler(ctx) {
      const { environment, name, commit, ref, timeoutSeconds } = ctx.input;
      if (!environment) {
        await local.handler(ctx as never);
        return;
      }
      const credentials = await ctx.getInitiatorCredentials();
      const subject = ctx.input.entityRef ?? `component:default/${name}`;
      const what = `the deployment of ${name} to ${environment}`;
      const request = {
        kind: 'deploy' as const,
        subject,
        environment,
        input: commit ? { commit } : { ...(ref ? { ref } : {}) },
      };
      if (ctx.isDryRun) {
        logPlan(await provisioning.plan(request, { credentials }), ctx.logger);
        ctx.logger.info(`Dry run: would start ${what}`);
        return;
      }
      const wait = timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
      const timeout = AbortSignal.timeout(wait * 1000);
      try {
        const { id } = await carryOut({
          provisioning,
          request,
          reason: `Template task ${ctx.task.id}`,
          ctx: {
            logger: ctx.logger,
            checkpoint: saved => ctx.checkpoint(saved),
            signal: ctx.signal
              ? AbortSignal.any([ctx.signal, timeout])
              : timeout,
          },
          credentials,
          pollMs,
        });
        ctx.output('operation', id);
      } catch (error) {
        if (!timeout.aborted && !ctx.signal?.aborted) throw error;
        throw explain({
          failed: `Stopped waiting for ${what}`,
          error: timeout.aborted
            ? `it has not ended after ${wait} s`
            : 'the task was cancelled',
          exists: 'an operation that may still go on',
          next: 'look at it in the portal, and retry this task to wait again',
        });
      }
      ctx.logger.info(`${what} is done`);
      if (commit) ctx.output('commit', commit);
    },
  });
}
