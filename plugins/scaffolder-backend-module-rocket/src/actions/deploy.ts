import { setTimeout as sleep } from 'node:timers/promises';
import { InputError } from '@backstage/errors';
import { createTemplateAction } from '@backstage/plugin-scaffolder-node';
import {
  SERVICE_NAME_PATTERN,
  type Operation,
} from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { explain, reasonOf } from '../lib/explain';
import { createDeployLocalAction } from './deployLocal';

const COMMIT_PATTERN = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const POLL_MS = 2_000;
const DEFAULT_TIMEOUT_SECONDS = 600;
const MAX_MISSED_POLLS = 20;

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

const OVER = ['done', 'partial', 'failed', 'rejected', 'expired', 'cancelled'];

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
      let operation: Operation;
      try {
        const plan = await provisioning.plan(request, { credentials });
        for (const step of plan.steps) {
          ctx.logger.info(`${step.change}: ${step.title}. ${step.detail}`);
        }
        for (const warning of plan.warnings) ctx.logger.warn(warning);
        if (ctx.isDryRun) {
          ctx.logger.info(`Dry run: would start ${what}`);
          return;
        }
        // A step that is taken up again joins the operation that it began.
        operation = (await ctx.checkpoint({
          key: `deploy-${environment}`,
          fn: async () =>
            (await provisioning.requestOperation(
              {
                ...request,
                digest: plan.digest,
                reason: `Template task ${ctx.task.id}`,
              },
              { credentials },
            )) as never,
        })) as Operation;
      } catch (error) {
        throw explain({
          failed: `Could not start ${what}`,
          error,
          exists: 'what ran there before',
          next: 'see to the reason and retry this task',
        });
      }
      ctx.output('operation', operation.id);

      const wait = timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
      const end = Date.now() + wait * 1000;
      const told = new Set<string>();
      const tell = () => {
        const lines = [
          operation.state === 'waiting'
            ? `waiting for an approver (${operation.approvers?.join(', ')})`
            : '',
          ...operation.steps
            .filter(step => step.status !== 'pending')
            .map(
              step =>
                `${step.title}: ${step.status}${
                  step.message ? `, ${step.message}` : ''
                }`,
            ),
        ];
        for (const line of lines) {
          if (line && !told.has(line)) ctx.logger.info(line);
          told.add(line);
        }
      };
      let missed = 0;
      tell();
      while (!OVER.includes(operation.state)) {
        const goesOn = (error: unknown) =>
          explain({
            failed: `Stopped waiting for ${what}`,
            error,
            exists: `the operation ${operation.id}, which may still go on`,
            next: 'look at it in the portal, and retry this task to wait again',
          });
        await sleep(pollMs, undefined, { signal: ctx.signal }).catch(() => {});
        if (ctx.signal?.aborted) throw goesOn('the task was cancelled');
        if (Date.now() > end) {
          throw goesOn(`it is ${operation.state} after ${wait} s`);
        }
        try {
          operation = await provisioning.getOperation(operation.id, {
            credentials,
          });
          missed = 0;
        } catch (error) {
          missed += 1;
          if (missed >= MAX_MISSED_POLLS) throw goesOn(error);
          if (missed === 1) {
            ctx.logger.warn(`No answer about ${what}: ${reasonOf(error)}`);
          }
          continue;
        }
        tell();
      }
      if (operation.state !== 'done') {
        const why =
          operation.message ??
          operation.steps.find(step => step.status === 'failed')?.message ??
          operation.decision?.reason ??
          'no reason was given';
        throw explain({
          failed: `${what} is ${operation.state}`,
          error: new InputError(why),
          exists: 'what ran there before, and the operation in the portal',
          next: 'see to the reason and start a new run',
        });
      }
      ctx.logger.info(`${what} is done`);
      if (commit) ctx.output('commit', commit);
    },
  });
}
