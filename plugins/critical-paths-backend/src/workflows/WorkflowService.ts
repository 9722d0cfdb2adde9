import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import {
  ConflictError,
  NotFoundError,
  ServiceUnavailableError,
} from '@backstage/errors';
import {
  newRelicScript,
  type BoardWindow,
  type ParsedWorkflow,
  type ResolvedPath,
  type ScriptTarget,
  type WorkflowRunDetail,
  type WorkflowRunSummary,
  type WorkflowRunsResponse,
  type WorkflowStartResponse,
  type WorkflowsResponse,
} from '@rocket/plugin-critical-paths-common';
import type { PathDirectory } from '../service/PathDirectory';
import { windowMinutes } from '../service/windows';
import type { WorkflowSettings } from './settings';
import { countsOver, statusOf, uptimeOf } from './summaries';
import type { TargetResolver } from './TargetResolver';
import type { WorkflowExecutor } from './WorkflowExecutor';
import type { StoredRun, WorkflowKey, WorkflowStore } from './WorkflowStore';

/** Runs that a path shows per workflow. */
const SHOWN_RUNS = 30;

const iso = (time: number) => new Date(time).toISOString();

function toSummary(run: StoredRun): WorkflowRunSummary {
  return {
    id: run.id,
    status: run.status,
    trigger: run.trigger,
    startedBy: run.startedBy,
    startedAt: iso(run.started),
    endedAt: run.ended === undefined ? null : iso(run.ended),
    durationMs: run.durationMs ?? null,
    failedStep: run.failedStep,
    message: run.message,
  };
}

/** What the API answers about workflows. Paths that the caller may not see are not there. */
export class WorkflowService {
  readonly #options: {
    store: WorkflowStore;
    directory: Pick<PathDirectory, 'model' | 'visibleTo'>;
    executor: WorkflowExecutor;
    targets: TargetResolver;
    settings: WorkflowSettings;
    now: () => number;
  };

  constructor(options: {
    store: WorkflowStore;
    directory: Pick<PathDirectory, 'model' | 'visibleTo'>;
    executor: WorkflowExecutor;
    targets: TargetResolver;
    settings: WorkflowSettings;
    now?: () => number;
  }) {
    this.#options = { ...options, now: options.now ?? Date.now };
  }

  /** The workflows of a path with their last runs. */
  async list(
    pathRef: string,
    window: BoardWindow,
    mayRun: boolean,
    credentials: BackstageCredentials,
  ): Promise<WorkflowsResponse> {
    const { store, settings } = this.#options;
    const { path } = await this.#path(pathRef, credentials);
    const now = this.#options.now();
    const states = new Map(
      (await store.states(now, pathRef)).map(s => [s.workflow, s]),
    );
    const counts = await countsOver(store, windowMinutes(window), now, pathRef);
    const workflows = await Promise.all(
      path.workflows.map(async workflow => {
        const state = states.get(workflow.name);
        const runs = await store.listRuns(
          { pathRef, workflow: workflow.name },
          { limit: SHOWN_RUNS },
        );
        return {
          name: workflow.name,
          title: workflow.title,
          criticality: workflow.criticality,
          target: workflow.target,
          everySeconds: workflow.everySeconds,
          deadlineMs: workflow.deadlineMs,
          alertAfter: workflow.alertAfter ?? settings.alertAfter,
          steps: workflow.steps.map(step => ({
            name: step.name,
            title: step.title,
            method: step.method,
            path: step.path,
            target: step.target,
            checks: step.expect.length,
          })),
          ...statusOf(workflow, state, now),
          running: state?.running ?? false,
          failures: state?.failures ?? 0,
          nextRunAt: state ? iso(state.nextDue) : null,
          uptime: uptimeOf(
            [counts.get(`${pathRef}/${workflow.name}`) ?? []].flat(),
          ),
          runs: runs.map(toSummary),
        };
      }),
    );
    return { pathRef, window, generatedAt: iso(now), mayRun, workflows };
  }

  /** A page of the history of a workflow. */
  async runs(
    key: WorkflowKey,
    page: { limit: number; before?: string },
    credentials: BackstageCredentials,
  ): Promise<WorkflowRunsResponse> {
    await this.#workflow(key, credentials);
    const runs = await this.#options.store.listRuns(key, {
      limit: page.limit,
      before: page.before === undefined ? undefined : Date.parse(page.before),
    });
    return {
      runs: runs.map(toSummary),
      nextBefore:
        runs.length === page.limit ? iso(runs[runs.length - 1].started) : null,
    };
  }

  /** One run with its evidence. */
  async run(
    key: WorkflowKey,
    id: string,
    credentials: BackstageCredentials,
  ): Promise<WorkflowRunDetail> {
    await this.#workflow(key, credentials);
    const run = await this.#options.store.readRun(key, id);
    if (!run) {
      throw new NotFoundError(
        `Workflow ${key.workflow} of ${key.pathRef} has no run ${id}; old runs are deleted`,
      );
    }
    return { ...toSummary(run), ...key, steps: run.steps };
  }

  /** Starts a run now; its answer does not wait for the run. */
  async start(
    key: WorkflowKey,
    startedBy: string,
    credentials: BackstageCredentials,
  ): Promise<WorkflowStartResponse> {
    const { executor, settings } = this.#options;
    const { path, workflow } = await this.#workflow(key, credentials);
    if (executor.active >= 2 * settings.concurrency) {
      throw new ServiceUnavailableError(
        `${executor.active} runs go on already; try again in a moment`,
      );
    }
    const started = await executor.start(path, workflow, {
      trigger: 'manual',
      startedBy,
    });
    if (started.status === 'no-target') {
      throw new ConflictError(
        `Workflow ${key.workflow} cannot run: ${started.reason}`,
      );
    }
    if (started.status !== 'started') {
      throw new ConflictError(
        `Workflow ${key.workflow} is running already; look at that run`,
      );
    }
    return { id: started.id };
  }

  /** The workflow as a New Relic scripted API monitor. */
  async script(
    key: WorkflowKey,
    credentials: BackstageCredentials,
  ): Promise<string> {
    const { path, workflow } = await this.#workflow(key, credentials);
    const resolved = await this.#options.targets.resolveAll(workflow, path);
    if (resolved.missing !== undefined) {
      throw new ConflictError(
        `Workflow ${key.workflow} cannot be exported: ${resolved.missing}`,
      );
    }
    const targets: Record<string, ScriptTarget> = {};
    for (const [name, target] of resolved.targets) {
      targets[name] = {
        baseUrl: target.baseUrl.toString(),
        secretHeaders: Object.keys(target.headers),
      };
    }
    return newRelicScript({
      pathRef: key.pathRef,
      pathTitle: path.path.title,
      workflow,
      targets,
    });
  }

  async #path(
    pathRef: string,
    credentials: BackstageCredentials,
  ): Promise<ResolvedPath> {
    const { directory } = this.#options;
    const [{ paths }, visible] = await Promise.all([
      directory.model(),
      directory.visibleTo(credentials),
    ]);
    const path = visible.has(pathRef) ? paths.get(pathRef) : undefined;
    if (!path) {
      throw new NotFoundError(`There is no ${pathRef}`);
    }
    return path;
  }

  async #workflow(
    key: WorkflowKey,
    credentials: BackstageCredentials,
  ): Promise<{ path: ResolvedPath; workflow: ParsedWorkflow }> {
    const path = await this.#path(key.pathRef, credentials);
    const workflow = path.path.workflows.find(w => w.name === key.workflow);
    if (!workflow) {
      throw new NotFoundError(`${key.pathRef} has no workflow ${key.workflow}`);
    }
    return { path, workflow };
  }
}
