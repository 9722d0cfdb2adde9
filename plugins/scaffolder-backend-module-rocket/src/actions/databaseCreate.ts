import { InputError } from '@backstage/errors';
import { createTemplateAction } from '@backstage/plugin-scaffolder-node';
import { SERVICE_NAME_PATTERN } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { effectOf } from '../lib/effects';
import { explain } from '../lib/explain';

const ENTITY_REF = /^[a-zA-Z]+:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/;
const TYPE = 'postgres.database';

const examples = [
  {
    description: 'A database beside the services of the local runtime.',
    example: `steps:
  - id: database
    name: Create its database
    action: rocket:database:create
    input:
      name: card-limits
      entityRef: component:default/card-limits
      owner: group:default/cards`,
  },
  {
    description:
      'A database on a server of the configuration, with a limit of its own.',
    example: `steps:
  - id: database
    name: Create its database
    action: rocket:database:create
    input:
      name: card-limits
      entityRef: component:default/card-limits
      owner: group:default/cards
      server: payments
      connectionLimit: 80`,
  },
];

/** Makes a service's PostgreSQL database and its roles. */
export function createDatabaseCreateAction(options: {
  provisioning: ProvisioningService;
}) {
  const { provisioning } = options;
  return createTemplateAction({
    id: 'rocket:database:create',
    description:
      'Makes a PostgreSQL database for one service: an owner that nobody logs in as, a role for migrations and a role for the application, which reads and writes rows. The passwords never leave the backend; the outputs name them. Running it again changes only what is not as intended. A dry run asks the server whether it could be made and makes nothing.',
    examples,
    supportsDryRun: true,
    schema: {
      input: {
        name: z =>
          z
            .string()
            .regex(SERVICE_NAME_PATTERN)
            .describe('Name of the service'),
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
          z.string().max(63).optional().describe('Environment that it is for'),
        server: z =>
          z
            .string()
            .min(1)
            .max(63)
            .optional()
            .describe(
              'Server of provisioning.databases.servers. Default: local, that of the local runtime',
            ),
        connectionLimit: z =>
          z
            .number()
            .int()
            .min(1)
            .max(10_000)
            .optional()
            .describe(
              'Connections at the same time. Default: provisioning.databases.connectionLimit',
            ),
      },
      output: {
        database: z => z.string().optional().describe('Name of the database'),
        server: z => z.string().optional().describe('Server that it is on'),
        credentialsRef: z =>
          z
            .string()
            .optional()
            .describe('Reference of its credentials; not the credentials'),
      },
    },
    async handler(ctx) {
      const { name, entityRef, owner, environment, connectionLimit } =
        ctx.input;
      const server = ctx.input.server ?? 'local';
      const credentials = await ctx.getInitiatorCredentials();
      const request = effectOf(ctx, 'database', {
        type: TYPE,
        reference: `${server}/${name}`,
        subject: entityRef,
        owner,
        environment,
        intent: {
          service: name,
          server,
          ...(connectionLimit ? { connectionLimit } : {}),
        },
      });
      const failed = (error: unknown, exists: string) =>
        explain({
          failed: `The database of ${name} could not be created`,
          error,
          exists,
          next: 'see to the reason and retry this task',
        });

      if (ctx.isDryRun) {
        const { passed, findings } = await provisioning
          .preflight({ effects: [request] }, { credentials })
          .catch(error => {
            throw failed(error, 'nothing new');
          });
        for (const { level, reason, message } of findings) {
          ctx.logger.info(`Dry run: ${level}: ${message} (${reason})`);
        }
        if (!passed) {
          const reasons = findings.filter(({ level }) => level === 'error');
          throw failed(
            new InputError(reasons.map(({ message }) => message).join(' | ')),
            'nothing new',
          );
        }
        ctx.logger.info(
          `Dry run: would create the database of ${name} on the server ${server}`,
        );
        return;
      }

      let details;
      try {
        const { id } = await provisioning.requestEffect(request, {
          credentials,
        });
        ({ details } = await provisioning.waitForEffect(id, {
          credentials,
          signal: ctx.signal,
          onProgress: message => ctx.logger.info(message),
        }));
      } catch (error) {
        throw failed(error, 'perhaps a part of it; a retry takes it over');
      }
      ctx.logger.info(
        `The database ${details.database} is on the server ${details.server} (${details.host}:${details.port})`,
      );
      for (const key of ['database', 'server', 'credentialsRef'] as const) {
        ctx.output(key, String(details[key]));
      }
    },
  });
}
