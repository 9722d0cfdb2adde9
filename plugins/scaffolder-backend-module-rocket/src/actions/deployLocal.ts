import { setTimeout as sleep } from 'node:timers/promises';
import type {
  BackstageCredentials,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { readFile } from 'node:fs/promises';
import { resolveSafeChildPath } from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import { createTemplateAction } from '@backstage/plugin-scaffolder-node';
import {
  SERVICE_NAME_PATTERN,
  type ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { parse } from 'yaml';
import { effectOf } from '../lib/effects';
import { explain, reasonOf } from '../lib/explain';

/** A full commit id, SHA-1 or SHA-256. */
const COMMIT_PATTERN = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const POLL_MS = 1_000;
const DEFAULT_TIMEOUT_SECONDS = 600;
/** Polls in a row without an answer before the step gives up. */
const MAX_MISSED_POLLS = 20;
const LOG_LINES = 30;

const examples = [
  {
    description: 'Run what was published, and wait until it is healthy.',
    example: `steps:
  - id: deploy
    name: Run
    action: rocket:deploy:local
    input:
      name: card-limits
      owner: group:default/cards
      repository: \${{ steps.publish.output.repository }}
      commit: \${{ steps.publish.output.commit }}
      criticalPath: card-authorization`,
  },
];

type Outcome = 'running' | 'done' | 'failed';

function outcomeOf(status: ServiceStatus): Outcome {
  // After a resumed run: deployed before, and coming up again with the backend.
  if (status.deployment?.status === 'done' && status.state === 'restarting') {
    return 'running';
  }
  if (status.deployment) {
    return status.deployment.status;
  }
  if (status.state === 'healthy') {
    return 'done';
  }
  return status.state === 'failed' || status.state === 'stopped'
    ? 'failed'
    : 'running';
}

function seconds(from?: string, to?: string): string {
  if (!from || !to) {
    return '';
  }
  const ms = Date.parse(to) - Date.parse(from);
  return Number.isFinite(ms) ? ` (${(ms / 1000).toFixed(1)} s)` : '';
}

/** Writes each change of a phase once. */
class PhaseLog {
  readonly #logger: LoggerService;
  readonly #seen = new Map<string, string>();

  constructor(logger: LoggerService) {
    this.#logger = logger;
  }

  update(status: ServiceStatus): void {
    for (const phase of status.phases) {
      const before = this.#seen.get(phase.phase) ?? 'pending';
      if (before === phase.status) {
        continue;
      }
      this.#seen.set(phase.phase, phase.status);
      const note = phase.message ? `: ${phase.message}` : '';
      if (phase.status === 'failed') {
        this.#logger.error(`${phase.phase}: failed${note}`);
      } else if (phase.status !== 'pending') {
        const took =
          phase.status === 'done'
            ? seconds(phase.startedAt, phase.finishedAt)
            : '';
        this.#logger.info(`${phase.phase}: ${phase.status}${took}${note}`);
      }
    }
  }
}

/** Checks what the runtime will look for, before anything exists. */
async function checkRuntimeFile(workspacePath: string): Promise<void> {
  let text: string;
  try {
    text = await readFile(
      resolveSafeChildPath(workspacePath, 'rocket.yaml'),
      'utf8',
    );
  } catch {
    throw new InputError(
      'rocket.yaml: the repository must have this file at its root; it tells the runtime how to start the service',
    );
  }
  let start: unknown;
  try {
    start = parse(text)?.spec?.start;
  } catch (error) {
    throw new InputError(`rocket.yaml: ${reasonOf(error)}`);
  }
  if (!Array.isArray(start) || !start.every(arg => typeof arg === 'string')) {
    throw new InputError(
      'rocket.yaml: spec.start must be a list of strings, the program and its arguments',
    );
  }
}

/** Brings a published service up on the local runtime and waits for it. */
export function createDeployLocalAction(options: {
  provisioning: ProvisioningService;
  /** Default: 1 s. */
  pollMs?: number;
}) {
  const { provisioning, pollMs = POLL_MS } = options;

  async function tailLog(
    name: string,
    logger: LoggerService,
    credentials: BackstageCredentials,
  ): Promise<void> {
    try {
      const { lines } = await provisioning.getLog(
        name,
        { limit: LOG_LINES },
        { credentials },
      );
      if (lines.length) {
        logger.info(`The last lines of its log:`);
        for (const line of lines.slice(-LOG_LINES)) {
          logger.info(`  ${line.stream} | ${line.text}`);
        }
      }
    } catch (error) {
      logger.warn(`Its log could not be read: ${reasonOf(error)}`);
    }
  }

  return createTemplateAction({
    id: 'rocket:deploy:local',
    description:
      'Brings a published service up on the local runtime: checkout, install, database, migrations, start, health check. Waits until it is healthy. Running it again for the same commit changes nothing.',
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
            .max(3600)
            .optional()
            .describe(`How long to wait. Default: ${DEFAULT_TIMEOUT_SECONDS}`),
      },
      output: {
        url: z => z.string().optional().describe('Where the service answers'),
        docsUrl: z => z.string().optional().describe('Its API docs'),
        commit: z => z.string().optional().describe('Commit that runs'),
      },
    },
    async handler(ctx) {
      const { name, owner, repository } = ctx.input;
      const ref = ctx.input.commit ?? ctx.input.ref;
      const request = {
        name,
        owner,
        repository,
        entityRef: ctx.input.entityRef ?? `component:default/${name}`,
        ...(ref ? { ref } : {}),
        ...(ctx.input.criticalPath
          ? { criticalPath: ctx.input.criticalPath.replace(/^.*[:/]/, '') }
          : {}),
      };
      if (ctx.isDryRun) {
        await checkRuntimeFile(ctx.workspacePath);
        ctx.logger.info(
          `Dry run: would deploy ${repository} as the service ${name}`,
        );
        return;
      }

      const credentials = await ctx.getInitiatorCredentials();
      const published = `the repository ${repository} with its commits`;
      const phases = new PhaseLog(ctx.logger);
      const effect = (commit?: string) =>
        effectOf(ctx, 'deploy', {
          type: 'local.service',
          reference: name,
          subject: request.entityRef,
          owner,
          intent: {
            repository,
            ...(commit ? { commit } : {}),
            ...(request.criticalPath
              ? { criticalPath: request.criticalPath }
              : {}),
          },
        });
      let status: ServiceStatus;
      try {
        // Written before anything runs, and once more when it is healthy.
        await provisioning.requestEffect(
          { ...effect(ctx.input.commit), deferred: true },
          { credentials },
        );
        status = await provisioning.deploy(request, { credentials });
      } catch (error) {
        throw explain({
          failed: `Could not start the deployment of ${name}`,
          error,
          exists: `${published}; no service runs`,
          next: 'see to the reason and retry this task',
        });
      }
      phases.update(status);

      const wait = ctx.input.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
      const end = Date.now() + wait * 1000;
      let missed = 0;
      while (outcomeOf(status) === 'running') {
        const goesOn = (error: unknown, next: string) =>
          explain({
            failed: `Stopped waiting for ${name}`,
            error,
            exists: `${published}, and a deployment that may still go on`,
            next,
          });
        await sleep(pollMs, undefined, { signal: ctx.signal }).catch(() => {});
        if (ctx.signal?.aborted) {
          throw goesOn(
            'the task was cancelled',
            `look at the Runtime tab of ${request.entityRef}; stop the service there if you do not want it`,
          );
        }
        if (Date.now() > end) {
          await tailLog(name, ctx.logger, credentials);
          throw goesOn(
            `it was not healthy after ${wait} s; it is at ${
              status.phases.find(p => p.status === 'running')?.phase ??
              status.state
            }`,
            'read the log above; retry this task to wait again',
          );
        }
        try {
          status = await provisioning.getService(name, { credentials });
          missed = 0;
        } catch (error) {
          missed += 1;
          if (missed >= MAX_MISSED_POLLS) {
            throw goesOn(
              error,
              'retry this task once provisioning answers again',
            );
          }
          if (missed === 1) {
            ctx.logger.warn(`No answer about ${name}: ${reasonOf(error)}`);
          }
          continue;
        }
        phases.update(status);
      }

      if (outcomeOf(status) === 'failed') {
        await tailLog(name, ctx.logger, credentials);
        const phase = status.phases.find(p => p.status === 'failed');
        const running =
          status.state === 'healthy'
            ? `the service ${name} at its earlier commit ${status.commit}`
            : `the service ${name}, which does not run${
                status.database ? `, and its database ${status.database}` : ''
              }`;
        throw explain({
          failed: `${name} did not come up${
            phase ? ` in phase "${phase.phase}"` : ''
          }`,
          error:
            phase?.message ??
            status.deployment?.message ??
            status.message ??
            'no reason was given',
          exists: `${published}, and ${running}`,
          next: 'read the log above, push a fix to the repository or mend the machine, then retry this task',
        });
      }

      try {
        const { id } = await provisioning.requestEffect(effect(status.commit), {
          credentials,
        });
        await provisioning.waitForEffect(id, {
          credentials,
          signal: ctx.signal,
        });
      } catch (error) {
        throw explain({
          failed: `Could not write down that ${name} runs`,
          error,
          exists: `${published}, and the service ${name}, which is healthy`,
          next: 'retry this task',
        });
      }
      ctx.logger.info(`${name} is healthy at ${status.url}`);
      if (status.url) {
        ctx.output('url', status.url);
      }
      if (status.docsUrl) {
        ctx.output('docsUrl', status.docsUrl);
      }
      if (status.commit) {
        ctx.output('commit', status.commit);
      }
    },
  });
}
