import { createTemplateAction } from '@backstage/plugin-scaffolder-node';
import type { PlanRequest } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { explain } from '../lib/explain';
import { carryOut, logPlan } from '../lib/operations';

const ENTITY_REF = /^[a-zA-Z]+:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/;
const NAME = /^[a-z][a-z0-9-]{1,61}[a-z0-9]$/;

const examples = [
  {
    description: 'An environment for a branch, for as long as is usual.',
    example: `steps:
  - id: environment
    name: Make an environment
    action: rocket:environment:create
    input:
      entityRef: component:default/card-limits
      branch: new-limits`,
  },
  {
    description: 'One with a name of its own, for one day.',
    example: `steps:
  - id: environment
    name: Make an environment
    action: rocket:environment:create
    input:
      entityRef: component:default/card-limits
      branch: new-limits
      name: demo-limits
      ttlHours: 24
      reason: Demo for the risk team`,
  },
];

/** Makes an environment on demand and waits until it is ready. */
export function createEnvironmentCreateAction(options: {
  provisioning: ProvisioningService;
  /** Default: 1 s. */
  pollMs?: number;
}) {
  const { provisioning, pollMs } = options;
  return createTemplateAction({
    id: 'rocket:environment:create',
    description:
      'Makes an environment for a branch of a component: its own service from the latest commit of the branch, with its own database, filled by the seed command of rocket.yaml. It ends by itself after its time. Running a task again waits for the same environment. A dry run shows the plan and changes nothing.',
    examples,
    supportsDryRun: true,
    schema: {
      input: {
        entityRef: z =>
          z
            .string()
            .max(200)
            .regex(ENTITY_REF, 'must be a full entity ref: kind:namespace/name')
            .describe('Entity ref of the component'),
        branch: z =>
          z
            .string()
            .min(1)
            .max(200)
            .describe('Branch, tag or commit of its repository'),
        name: z =>
          z
            .string()
            .regex(
              NAME,
              'must be 3 to 63 lower-case letters, digits and dashes',
            )
            .optional()
            .describe('Default: made from the branch'),
        ttlHours: z =>
          z
            .number()
            .positive()
            .max(24 * 366)
            .optional()
            .describe('How long it stands, in hours. Default: as configured'),
        reason: z =>
          z.string().min(1).max(1000).optional().describe('What it is for'),
      },
      output: {
        name: z => z.string().describe('Name of the environment'),
        url: z => z.string().describe('Where its service answers'),
        expiresAt: z => z.string().describe('When it ends, ISO 8601'),
        operation: z => z.string().describe('Id of the operation'),
      },
    },
    async handler(ctx) {
      const { entityRef, branch, name, ttlHours, reason } = ctx.input;
      const credentials = await ctx.getInitiatorCredentials();
      const request: PlanRequest = {
        kind: 'environment-create',
        subject: entityRef,
        input: {
          branch,
          ...(name ? { name } : {}),
          ...(ttlHours ? { ttlHours } : {}),
        },
      };
      if (ctx.isDryRun) {
        const plan = await provisioning.plan(request, { credentials });
        logPlan(plan, ctx.logger);
        ctx.output('name', plan.environment ?? name ?? branch);
        return;
      }
      const operation = await carryOut({
        provisioning,
        request,
        reason,
        ctx,
        credentials,
        pollMs,
      });
      const made = operation.environment!;
      ctx.output('name', made);
      ctx.output('operation', operation.id);
      try {
        const environment = await provisioning.getEnvironment(made, {
          credentials,
        });
        const { url, expiresAt } = environment.onDemand ?? {};
        if (url) ctx.output('url', url);
        if (expiresAt) ctx.output('expiresAt', expiresAt);
        ctx.logger.info(
          `${made} is ready${url ? ` at ${url}` : ''}; it ends ${expiresAt}`,
        );
      } catch (error) {
        throw explain({
          failed: `Could not read the environment ${made}`,
          error,
          exists: `the environment ${made}`,
          next: 'retry this task; nothing is made twice',
        });
      }
    },
  });
}
