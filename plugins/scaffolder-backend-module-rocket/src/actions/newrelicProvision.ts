import { createTemplateAction } from '@backstage/plugin-scaffolder-node';
import type { NewRelicPlan } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { effectOf } from '../lib/effects';
import { explain } from '../lib/explain';

const ENTITY_REF = /^[a-zA-Z]+:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/;
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

const examples = [
  {
    description:
      'Watch a service by the objectives of its critical path, before it has traffic.',
    example: `steps:
  - id: observability
    name: Set up alerts, service levels and a dashboard
    action: rocket:newrelic:provision
    input:
      name: card-limits
      entityRef: component:default/card-limits
      owner: group:default/cards
      criticalPath: criticalpath:default/card-authorization
      businessModel: domain:default/issuing`,
  },
  {
    description: 'Watch a service by its own objectives, in a named account.',
    example: `steps:
  - id: observability
    name: Set up alerts, service levels and a dashboard
    action: rocket:newrelic:provision
    input:
      name: card-limits
      entityRef: component:default/card-limits
      owner: group:default/cards
      account: cards
      objectives:
        - sli: availability
          target: 99.95
          windowDays: 28
        - sli: latency
          target: 99
          thresholdMs: 300
          windowDays: 28`,
  },
];

/** Sets up what watches a service in New Relic; where there is no New Relic it says so and goes on. */
export function createNewRelicProvisionAction(options: {
  provisioning: ProvisioningService;
}) {
  const { provisioning } = options;
  return createTemplateAction({
    id: 'rocket:newrelic:provision',
    description:
      'Makes the alert policy with its standard conditions and burn alerts, the dashboard, the service levels and the tags of a service in New Relic. Service levels and tags wait for its first telemetry and follow by themselves. Running it again changes only what is not as intended. Skipped where no New Relic account is configured. A dry run says what would be made and makes nothing.',
    examples,
    supportsDryRun: true,
    schema: {
      input: {
        name: z =>
          z
            .string()
            .regex(
              NAME,
              'must be lower-case letters, digits and hyphens, at most 63',
            )
            .describe('Name of the service; names the policy and dashboard'),
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
          z
            .string()
            .regex(NAME, 'must be a DNS label')
            .optional()
            .describe('Environment that it watches. Default: all of them'),
        appName: z =>
          z
            .string()
            .min(1)
            .max(200)
            .optional()
            .describe('Its name in New Relic. Default: the name'),
        account: z =>
          z
            .string()
            .min(1)
            .max(100)
            .optional()
            .describe('Alias of the account. Default: as configured'),
        criticalPath: z =>
          z
            .string()
            .max(250)
            .regex(ENTITY_REF, 'must be a full entity ref: kind:namespace/name')
            .optional()
            .describe(
              'Entity ref of its critical path; a tag, and its objectives are taken when none are given',
            ),
        businessModel: z =>
          z
            .string()
            .max(250)
            .regex(ENTITY_REF, 'must be a full entity ref: kind:namespace/name')
            .optional()
            .describe('Entity ref of the domain it works for; a tag'),
        runbookUrl: z =>
          z
            .string()
            .url()
            .max(1000)
            .optional()
            .describe('Where alerts send the person on call'),
        objectives: z =>
          z
            .array(
              z
                .object({
                  sli: z
                    .enum(['availability', 'latency'])
                    .describe('What is measured'),
                  target: z
                    .number()
                    .min(50)
                    .lt(100)
                    .describe('Percent of good requests'),
                  windowDays: z
                    .union([z.literal(1), z.literal(7), z.literal(28)])
                    .describe('Rolling window in days'),
                  thresholdMs: z
                    .number()
                    .positive()
                    .optional()
                    .describe('latency: at most this long is good'),
                })
                .strict(),
            )
            .min(1)
            .max(6)
            .optional()
            .describe(
              'Objectives. Default: those of the critical path, else the configured ones',
            ),
      },
      output: {
        skipped: z =>
          z
            .boolean()
            .describe('Whether nothing was made, for want of New Relic'),
        policyUrl: z =>
          z
            .string()
            .optional()
            .describe('Address of the alert policies, if people can open it'),
        dashboardUrl: z =>
          z
            .string()
            .optional()
            .describe('Address of the dashboard, if people can open it'),
      },
    },
    async handler(ctx) {
      const { entityRef, ...input } = ctx.input;
      const credentials = await ctx.getInitiatorCredentials();
      const made: string[] = [];
      const failed = (error: unknown) =>
        explain({
          failed: `New Relic could not be set up for ${entityRef}`,
          error,
          exists: made.length
            ? `${made.join(', ')} in New Relic, and what the earlier steps made`
            : 'what the earlier steps made',
          next: 'see to the reason and retry this task; what exists is found again. Or undo the run on the page of the component',
        });

      let plan: NewRelicPlan;
      try {
        plan = await provisioning.planNewRelic(
          { ...input, subject: entityRef },
          { credentials },
        );
      } catch (error) {
        if ((error as Error).name !== 'NotFoundError') throw failed(error);
        plan = {
          skipped:
            'Nothing is made in New Relic: its module is not installed in this portal',
          effects: [],
          summary: [],
        };
      }
      ctx.output('skipped', plan.skipped !== undefined);
      if (plan.skipped !== undefined) {
        ctx.logger.info(`Skipped. ${plan.skipped}`);
        return;
      }
      if (ctx.isDryRun) {
        for (const line of plan.summary) {
          ctx.logger.info(`Dry run: would make the ${line}`);
        }
        return;
      }

      for (const effect of plan.effects) {
        try {
          const { id } = await provisioning.requestEffect(
            effectOf(ctx, 'newrelic', effect),
            { credentials },
          );
          const { details } = await provisioning.waitForEffect(id, {
            credentials,
            signal: ctx.signal,
            onProgress: message => ctx.logger.info(message),
          });
          made.push(effect.type);
          const { pending, url } = details;
          ctx.logger.info(
            typeof pending === 'string'
              ? `${effect.type}: ${pending}; it follows by itself`
              : `${effect.type}: as intended`,
          );
          if (typeof url === 'string') {
            if (effect.type === 'newrelic.alert-policy') {
              ctx.output('policyUrl', url);
            } else if (effect.type === 'newrelic.dashboard') {
              ctx.output('dashboardUrl', url);
            }
          }
        } catch (error) {
          throw failed(error);
        }
      }
    },
  });
}
