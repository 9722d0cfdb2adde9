import type { LoggerService } from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type {
  ParsedWorkflow,
  ResolvedPath,
} from '@rocket/plugin-critical-paths-common';
import type { PathDirectory } from '../service/PathDirectory';
import { LEASE_MS, type WorkflowExecutor } from './WorkflowExecutor';
import type { WorkflowSettings } from './settings';
import { MAX_CLOCK_SKEW_MS, type WorkflowStore } from './WorkflowStore';

/** Says whether planned downtime of a path goes on, and until when. */
export type DowntimeReader = (
  pathRef: string,
  now: number,
) => Promise<{ to: string; reason: string } | undefined>;

/** Starts the workflows that are due. */
export class WorkflowCycle {
  readonly #options: {
    store: WorkflowStore;
    directory: Pick<PathDirectory, 'model'>;
    executor: WorkflowExecutor;
    settings: Pick<WorkflowSettings, 'concurrency'>;
    downtime: DowntimeReader;
    logger: LoggerService;
    now: () => number;
    leaseMs: number;
  };

  constructor(options: {
    store: WorkflowStore;
    directory: Pick<PathDirectory, 'model'>;
    executor: WorkflowExecutor;
    settings: Pick<WorkflowSettings, 'concurrency'>;
    downtime?: DowntimeReader;
    logger: LoggerService;
    now?: () => number;
    leaseMs?: number;
  }) {
    this.#options = {
      ...options,
      now: options.now ?? Date.now,
      leaseMs: options.leaseMs ?? LEASE_MS,
      downtime: options.downtime ?? (async () => undefined),
    };
  }

  /**
   * Ends what a lost backend left, then starts what is due, as much as there is
   * room for; the longest overdue first. Does not wait for the runs.
   */
  async tick(): Promise<void> {
    const { store, executor, settings, logger } = this.#options;
    const now = this.#options.now();
    const lost = await store.abortLost(now, this.#options.leaseMs);
    if (lost > 0) {
      logger.warn(`${lost} runs of workflows were lost with their backend`);
    }
    for (const { path, workflow } of await this.#due(now)) {
      if (executor.active >= settings.concurrency) {
        return;
      }
      try {
        await this.#start(path, workflow, now);
      } catch (error) {
        logger.warn(
          `Workflow ${workflow.name} of ${
            path.path.entityRef
          } was not started: ${toError(error).message}`,
        );
      }
    }
  }

  async #due(now: number) {
    const { store, directory } = this.#options;
    const { paths } = await directory.model();
    const wanted = [...paths.values()].flatMap(path =>
      path.path.workflows.map(workflow => ({ path, workflow })),
    );
    if (wanted.length === 0) {
      return [];
    }
    const states = new Map(
      (await store.states(now)).map(state => [
        `${state.pathRef}/${state.workflow}`,
        state,
      ]),
    );
    return wanted
      .map(item => {
        const { path, workflow } = item;
        const state = states.get(`${path.path.entityRef}/${workflow.name}`);
        return { ...item, state, dueAt: state?.nextDue ?? 0 };
      })
      .filter(
        ({ state, dueAt, workflow }) =>
          !state?.running &&
          // Further ahead than its schedule allows: the clock went back, or the schedule got shorter.
          (dueAt <= now ||
            dueAt > now + workflow.everySeconds * 1000 + MAX_CLOCK_SKEW_MS),
      )
      .sort((a, b) => a.dueAt - b.dueAt);
  }

  async #start(
    path: ResolvedPath,
    workflow: ParsedWorkflow,
    now: number,
  ): Promise<void> {
    const { store, executor, downtime } = this.#options;
    const pathRef = path.path.entityRef;
    const planned = await downtime(pathRef, now);
    if (planned) {
      await store.skip(
        {
          pathRef,
          workflow: workflow.name,
          everyMs: workflow.everySeconds * 1000,
        },
        `planned downtime until ${planned.to}: ${planned.reason}`,
        now,
      );
      return;
    }
    await executor.start(path, workflow, { trigger: 'schedule' });
  }
}
