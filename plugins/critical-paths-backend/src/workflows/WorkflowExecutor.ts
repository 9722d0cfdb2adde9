import { randomInt, randomUUID } from 'node:crypto';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type {
  ParsedWorkflow,
  ResolvedPath,
} from '@rocket/plugin-critical-paths-common';
import { runWorkflow } from './runWorkflow';
import { sendRequest } from './sendRequest';
import type { WorkflowSettings } from './settings';
import type { TargetResolver } from './TargetResolver';
import type { WorkflowNotifier } from './WorkflowNotifier';
import type { WorkflowKey, WorkflowStore } from './WorkflowStore';

/** A run that is not renewed for this long belongs to a backend that is gone. */
export const LEASE_MS = 15_000;

/** What came of the wish to run a workflow. */
export type StartResult =
  | { status: 'started'; id: string; done: Promise<void> }
  | { status: 'busy' | 'not-due' }
  | { status: 'no-target'; reason: string };

/** Runs workflows in this process, each under a lease that all replicas see. */
export class WorkflowExecutor {
  readonly #options: {
    store: WorkflowStore;
    targets: TargetResolver;
    notifier: Pick<WorkflowNotifier, 'ran'>;
    settings: Pick<WorkflowSettings, 'maxResponseBytes'>;
    logger: LoggerService;
    now: () => number;
    leaseMs: number;
  };
  readonly #active = new Map<
    string,
    { controller: AbortController; done: Promise<void> }
  >();
  #stopped = false;

  constructor(options: {
    store: WorkflowStore;
    targets: TargetResolver;
    notifier: Pick<WorkflowNotifier, 'ran'>;
    settings: Pick<WorkflowSettings, 'maxResponseBytes'>;
    logger: LoggerService;
    now?: () => number;
    leaseMs?: number;
  }) {
    this.#options = {
      ...options,
      now: options.now ?? Date.now,
      leaseMs: options.leaseMs ?? LEASE_MS,
    };
  }

  /** Number of runs that go on here. */
  get active(): number {
    return this.#active.size;
  }

  /** Starts a run unless one goes on anywhere, or it is not due though it has to be. */
  async start(
    path: ResolvedPath,
    workflow: ParsedWorkflow,
    how: {
      trigger: 'schedule' | 'manual';
      startedBy?: string;
    },
  ): Promise<StartResult> {
    const { store, targets, now, leaseMs } = this.#options;
    const key = { pathRef: path.path.entityRef, workflow: workflow.name };
    const everyMs = workflow.everySeconds * 1000;
    if (this.#stopped) {
      return { status: 'busy' };
    }
    const resolved = await targets.resolveAll(workflow, path);
    if (resolved.missing !== undefined) {
      if (how.trigger === 'schedule') {
        await store.skip({ ...key, everyMs }, resolved.missing, now());
      }
      return { status: 'no-target', reason: resolved.missing };
    }
    const id = randomUUID();
    const startedAt = now();
    const claim = await store.claim(
      {
        ...key,
        ...how,
        id,
        onlyDue: how.trigger === 'schedule',
        everyMs,
        leaseMs,
      },
      startedAt,
    );
    if (claim !== 'claimed') {
      return { status: claim };
    }
    const controller = new AbortController();
    const done = this.#run(key, id, controller, async () => {
      const verdict = await runWorkflow({
        workflow,
        pathRef: key.pathRef,
        runId: id,
        startedAt: new Date(startedAt),
        targets: resolved.targets,
        maxBytes: this.#options.settings.maxResponseBytes,
        signal: controller.signal,
        send: sendRequest,
        uuid: randomUUID,
        random: () => randomInt(2 ** 47) / 2 ** 47,
      });
      const state = await store.finish(key, id, verdict, now());
      if (state) {
        await this.#options.notifier.ran(path.path, workflow, state);
      }
    }).finally(() => this.#active.delete(id));
    this.#active.set(id, { controller, done });
    return { status: 'started', id, done };
  }

  /** Resolves when no run goes on here. */
  async idle(): Promise<void> {
    while (this.#active.size > 0) {
      await Promise.all([...this.#active.values()].map(({ done }) => done));
    }
  }

  /** Ends all runs without a verdict and starts no further ones. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { controller } of this.#active.values()) {
      controller.abort(new Error('the backend was stopped during the run'));
    }
    await this.idle();
  }

  /** Renews the lease while `work` goes on; never rejects. */
  async #run(
    key: WorkflowKey,
    id: string,
    controller: AbortController,
    work: () => Promise<void>,
  ): Promise<void> {
    const { store, logger, now, leaseMs } = this.#options;
    const renewal = setInterval(() => {
      store.renew(key, id, now() + leaseMs).then(
        mine => {
          if (!mine) {
            controller.abort(new Error('another replica took the run over'));
          }
        },
        error =>
          logger.warn(
            `The lease of a run of workflow ${key.workflow} was not renewed: ${
              toError(error).message
            }`,
          ),
      );
    }, leaseMs / 3);
    try {
      await work();
    } catch (error) {
      const { message } = toError(error);
      logger.warn(
        `A run of workflow ${key.workflow} of ${key.pathRef} has no verdict: ${message}`,
      );
      try {
        await store.abort(key, id, message, now());
      } catch (failure) {
        // The lease runs out by itself, and the next look notes the run as aborted.
        logger.warn(
          `The end of a run of workflow ${key.workflow} was not stored: ${
            toError(failure).message
          }`,
        );
      }
    } finally {
      clearInterval(renewal);
    }
  }
}
