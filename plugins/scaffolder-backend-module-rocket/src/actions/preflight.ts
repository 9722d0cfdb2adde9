import { InputError } from '@backstage/errors';
import { createTemplateAction } from '@backstage/plugin-scaffolder-node';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { effectOf } from '../lib/effects';
import { explain } from '../lib/explain';

const ENTITY_REF = /^[a-zA-Z]+:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/;

const examples = [
  {
    description: 'Check a repository, a service and a catalog entry first.',
    example: `steps:
  - id: preflight
    name: Check that it can work
    action: rocket:preflight
    input:
      entityRef: component:default/card-limits
      owner: group:default/cards
      effects:
        - type: git.repository
          reference: card-limits
        - type: local.service
          reference: card-limits
          intent:
            repository: card-limits
        - type: catalog.entity
          reference: component:default/card-limits
          intent:
            repository: card-limits`,
  },
];

/** Asks every system that the run will write to, before it writes anything. */
export function createPreflightAction(options: {
  provisioning: ProvisioningService;
}) {
  const { provisioning } = options;
  return createTemplateAction({
    id: 'rocket:preflight',
    description:
      'Checks that the run can make what it wants: names are free, the owner exists and is yours, quotas and credentials are enough, systems answer. Writes nothing, in a dry run and outside of one. Stops the run with each reason.',
    examples,
    supportsDryRun: true,
    schema: {
      input: {
        entityRef: z =>
          z
            .string()
            .max(200)
            .regex(ENTITY_REF, 'must be a full entity ref: kind:namespace/name')
            .describe('Entity ref of the component that all of it is for'),
        owner: z =>
          z
            .string()
            .max(200)
            .regex(ENTITY_REF, 'must be a full entity ref: kind:namespace/name')
            .describe('Entity ref of the owner, a Group or User'),
        effects: z =>
          z
            .array(
              z
                .object({
                  type: z
                    .string()
                    .min(1)
                    .max(63)
                    .describe('Type of effect, for example git.repository'),
                  reference: z
                    .string()
                    .min(1)
                    .max(250)
                    .describe('Name of the thing in its system'),
                  environment: z
                    .string()
                    .max(63)
                    .optional()
                    .describe('Environment that it is for'),
                  intent: z
                    .record(z.any())
                    .optional()
                    .describe(
                      'What the step will ask for, as far as it is known',
                    ),
                })
                .strict(),
            )
            .min(1)
            .max(50)
            .describe('What the steps after this one will make'),
      },
      output: {
        findings: z =>
          z
            .array(
              z.object({
                reason: z.string(),
                level: z.string(),
                subject: z.string(),
                message: z.string(),
              }),
            )
            .describe('What was looked at, and what was found'),
        runsLocally: z =>
          z
            .boolean()
            .describe(
              'Whether the local runtime takes part. Without it, when services run elsewhere, steps for it are left out',
            ),
      },
    },
    async handler(ctx) {
      const { entityRef, owner, effects } = ctx.input;
      const credentials = await ctx.getInitiatorCredentials();
      const next =
        'see to each reason, or choose other answers, and run the template again';
      let report;
      try {
        report = await provisioning.preflight(
          {
            effects: effects.map(
              ({ type, reference, environment, intent = {} }) =>
                effectOf(ctx, 'preflight', {
                  type,
                  reference,
                  environment,
                  subject: entityRef,
                  owner,
                  intent,
                }),
            ),
          },
          { credentials },
        );
      } catch (error) {
        throw explain({
          failed: 'Could not check whether this run can work',
          error,
          exists: 'nothing new',
          next: 'see to the reason and run the template again',
        });
      }
      for (const { level, reason, subject, message } of report.findings) {
        const line = `${subject}: ${message} (${reason})`;
        if (level === 'error') ctx.logger.error(line);
        else if (level === 'warning') ctx.logger.warn(line);
        else ctx.logger.info(line);
      }
      ctx.output('findings', report.findings);
      ctx.output(
        'runsLocally',
        report.findings.every(({ reason }) => reason !== 'runtime-missing'),
      );
      if (!report.passed) {
        const reasons = report.findings
          .filter(({ level }) => level === 'error')
          .map(({ reason, message }) => `${reason}: ${message}`);
        throw explain({
          failed: `${entityRef} cannot be made`,
          error: new InputError(reasons.join(' | ')),
          exists: 'nothing new',
          next,
        });
      }
      ctx.logger.info(`All ${effects.length} things can be made`);
    },
  });
}
