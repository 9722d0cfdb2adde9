import type {
  BackstageCredentials,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import type { ActionsRegistryService } from '@backstage/backend-plugin-api/alpha';
import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import { InputError, NotAllowedError } from '@backstage/errors';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import {
  BOARD_WINDOWS,
  criticalPathsReadPermission,
  describeObjective,
  isEntityRef,
  PATH_STATES,
  type BoardRow,
  type PathDetail,
} from '@rocket/plugin-critical-paths-common';
import type { PathService } from '../service/PathService';
import { explainBurn } from './explainBurn';

/** Changes that an answer holds at most; the newest are kept. */
const MAX_CHANGES = 50;

const READ_ONLY = { readOnly: true, destructive: false, idempotent: true };

function pathRefOf(text: string): string {
  const ref = isEntityRef(text)
    ? stringifyEntityRef(
        parseEntityRef(text, {
          defaultKind: 'criticalpath',
          defaultNamespace: 'default',
        }),
      )
    : '';
  if (!ref.startsWith('criticalpath:')) {
    throw new InputError(
      `path must be the ref of a critical path, for example criticalpath:default/card-authorization, was ${JSON.stringify(
        text,
      )}`,
    );
  }
  return ref;
}

/** The figures of a path that an agent needs, without charts. */
function toFacts(row: BoardRow | PathDetail) {
  return {
    entityRef: row.entityRef,
    title: row.title,
    ...(row.description ? { description: row.description } : {}),
    businessModel: row.businessModel,
    owner: row.owner,
    state: row.state,
    stateReasons: row.stateReasons,
    signals: {
      requests: row.signals.valid,
      availability: row.signals.availability,
      errorRate: row.signals.errorRate,
      throughputPerMinute: row.signals.throughputPerMinute,
      latencyP95Ms: row.signals.latency.p95Ms,
    },
    objectives: row.objectives.map(result => ({
      objective: describeObjective(result.objective),
      actual: result.actual,
      met: result.met,
      budgetRemaining: result.budgetRemaining,
    })),
    workflow: row.workflow
      ? {
          title: row.workflow.title,
          status: row.workflow.status,
          ...(row.workflow.message ? { message: row.workflow.message } : {}),
          completed: row.workflow.completed,
          runs: row.workflow.runs,
        }
      : null,
    measuredUpTo: row.data.watermark,
  };
}

/** Offers the boards to agents: actions that only read, with the rights of the caller. */
export function registerActions(options: {
  actionsRegistry: ActionsRegistryService;
  permissions: PermissionsService;
  service: Pick<PathService, 'board' | 'path'>;
}): void {
  const { actionsRegistry, permissions, service } = options;

  const authorize = async (credentials: BackstageCredentials) => {
    const [{ result }] = await permissions.authorize(
      [{ permission: criticalPathsReadPermission }],
      { credentials },
    );
    if (result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(
        `Permission ${criticalPathsReadPermission.name} is needed`,
      );
    }
  };

  actionsRegistry.register({
    name: 'list-critical-paths',
    title: 'List critical paths',
    description: `Lists the critical paths: the flows that clients' money depends on, such as authorizing a card. Gives per path its state with the reasons, availability and error rate (0..1), throughput, latency, objectives and what is left of their error budgets (1 = untouched, 0 or less = spent), all over the given window.

States: ${PATH_STATES.join(
      ', ',
    )}. Only healthy is good news; no-data, stale and unknown mean that nobody knows. A figure that is null was not measured: do not read it as zero.`,
    attributes: READ_ONLY,
    schema: {
      input: z =>
        z.object({
          window: z
            .enum(BOARD_WINDOWS)
            .default('24h')
            .describe('How far back the figures go'),
          state: z
            .array(z.enum(PATH_STATES))
            .optional()
            .describe('Only paths in one of these states'),
          owner: z
            .array(z.string())
            .optional()
            .describe(
              'Only paths of these owners, for example group:default/payments',
            ),
          businessModel: z
            .array(z.string())
            .optional()
            .describe(
              'Only paths of these Domains, for example domain:default/payments',
            ),
          text: z
            .string()
            .max(100)
            .optional()
            .describe('Part of a name, title, description or application'),
        }),
      output: z =>
        z.object({
          from: z.string(),
          to: z.string(),
          paths: z.array(z.record(z.unknown())),
        }),
    },
    action: async ({ input, credentials }) => {
      await authorize(credentials);
      const refs = (values: string[] | undefined, defaultKind: string) =>
        values?.map(value => {
          if (!isEntityRef(value)) {
            throw new InputError(
              `${JSON.stringify(
                value,
              )} is no entity ref; an example is ${defaultKind}:default/payments`,
            );
          }
          return stringifyEntityRef(
            parseEntityRef(value, {
              defaultKind,
              defaultNamespace: 'default',
            }),
          );
        });
      const board = await service.board(
        input.window ?? '24h',
        {
          state: input.state,
          owner: refs(input.owner, 'group'),
          businessModel: refs(input.businessModel, 'domain'),
          q: input.text,
        },
        credentials,
      );
      return {
        output: {
          from: board.from,
          to: board.to,
          paths: board.rows.map(toFacts),
        },
      };
    },
  });

  actionsRegistry.register({
    name: 'get-critical-path',
    title: 'Get a critical path',
    description:
      'Gives one critical path in full: its state with reasons, signals over the window and over the one before, objectives, steps in their order, the state and signals of each application, and deployments, chaos runs, incidents and maintenance of the window. Find refs with list-critical-paths.',
    attributes: READ_ONLY,
    schema: {
      input: z =>
        z.object({
          path: z
            .string()
            .describe(
              'Entity ref, for example criticalpath:default/card-authorization',
            ),
          window: z.enum(BOARD_WINDOWS).default('24h'),
        }),
      output: z => z.object({ path: z.record(z.unknown()) }),
    },
    action: async ({ input, credentials }) => {
      await authorize(credentials);
      const path = await service.path(
        pathRefOf(input.path),
        input.window ?? '24h',
        credentials,
      );
      return {
        output: {
          path: {
            ...toFacts(path),
            from: path.from,
            to: path.to,
            previousWindow: {
              availability: path.previous.signals.availability,
              throughputPerMinute: path.previous.signals.throughputPerMinute,
              latencyP95Ms: path.previous.signals.latency.p95Ms,
            },
            steps: path.steps.map(step => ({
              name: step.name,
              title: step.title,
              applications: step.applications,
              entry: step.entry,
            })),
            applications: path.applicationDetails.map(application => ({
              entityRef: application.entityRef,
              owner: application.owner ?? null,
              steps: application.steps,
              state: application.state,
              stateReasons: application.stateReasons,
              availability: application.signals.availability,
              throughputPerMinute: application.signals.throughputPerMinute,
              latencyP95Ms: application.signals.latency.p95Ms,
              openIncidents: application.incidents?.open ?? null,
            })),
            changes: path.changes
              .slice(-MAX_CHANGES)
              .map(({ kind, entityRef, title, at, until, detail }) => ({
                kind,
                entityRef,
                title,
                at,
                ...(until ? { until } : {}),
                ...(detail ? { detail } : {}),
              })),
          },
        },
      };
    },
  });

  actionsRegistry.register({
    name: 'explain-burn',
    title: 'Explain the burn of an error budget',
    description:
      'Says how fast the error budgets of a critical path burn (burn rate 1 spends a budget exactly by the end of its window), which rules fire, which applications burned how much of it by their own fault, how much nobody can tell, and what the deployments of the window cost. The summary may be told to people as it is.',
    attributes: READ_ONLY,
    schema: {
      input: z =>
        z.object({
          path: z
            .string()
            .describe(
              'Entity ref, for example criticalpath:default/card-authorization',
            ),
          window: z.enum(BOARD_WINDOWS).default('24h'),
        }),
      output: z =>
        z.object({
          summary: z.array(z.string()),
          budgets: z.array(z.record(z.unknown())),
          attribution: z.record(z.unknown()),
          deployments: z.array(z.record(z.unknown())),
        }),
    },
    action: async ({ input, credentials }) => {
      await authorize(credentials);
      const path = await service.path(
        pathRefOf(input.path),
        input.window ?? '24h',
        credentials,
      );
      return { output: explainBurn(path) };
    },
  });
}
