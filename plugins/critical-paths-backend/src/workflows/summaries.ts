import type {
  ParsedWorkflow,
  WorkflowSummary,
  WorkflowUptime,
} from '@rocket/plugin-critical-paths-common';
import type { PathDirectory } from '../service/PathDirectory';
import type { WorkflowReader } from '../service/WorkflowReader';
import type { RunCounts, WorkflowState, WorkflowStore } from './WorkflowStore';

/** What a run may be late before the workflow is stale, besides a missed one. */
const GRACE_MS = 60_000;
/** Windows up to this long are counted run by run, longer ones by the hour. */
const EXACT_MINUTES = 1440;

/** Status of a workflow and why, for people. */
export function statusOf(
  workflow: ParsedWorkflow,
  state: WorkflowState | undefined,
  now: number,
): { status: WorkflowSummary['status']; message?: string } {
  if (state?.skipped !== undefined) {
    return { status: 'not-run', message: state.skipped };
  }
  if (!state?.last) {
    return { status: 'not-run', message: 'it has not run yet' };
  }
  const { last } = state;
  const limit = 2 * workflow.everySeconds * 1000 + workflow.deadlineMs;
  if (now - last.ended > limit + GRACE_MS) {
    return {
      status: 'stale',
      message: `the last run ended at ${new Date(last.ended).toISOString()}`,
    };
  }
  return last.status === 'failed'
    ? { status: 'failed', message: last.message }
    : { status: 'passed' };
}

export function uptimeOf(counts: Pick<RunCounts, 'passed' | 'failed'>[]) {
  const passed = counts.reduce((sum, c) => sum + c.passed, 0);
  const runs = counts.reduce((sum, c) => sum + c.passed + c.failed, 0);
  const uptime: WorkflowUptime = {
    runs,
    passed,
    completed: runs > 0 ? passed / runs : null,
  };
  return uptime;
}

/** Counts over a window, exact to the run up to a day and to the hour beyond. */
export async function countsOver(
  store: Pick<WorkflowStore, 'countRuns'>,
  minutes: number,
  now: number,
  pathRef?: string,
): Promise<Map<string, RunCounts>> {
  const counts = await store.countRuns(now - minutes * 60_000, {
    hourly: minutes > EXACT_MINUTES,
    pathRef,
  });
  return new Map(counts.map(c => [`${c.pathRef}/${c.workflow}`, c]));
}

/** The worst first. */
const ORDER: WorkflowSummary['status'][] = [
  'failed',
  'stale',
  'not-run',
  'passed',
];

/** Reads what the boards show: per path its worst required workflow, with the runs of all of them. */
export class StoredWorkflowReader implements WorkflowReader {
  readonly #options: {
    store: Pick<WorkflowStore, 'states' | 'countRuns'>;
    directory: Pick<PathDirectory, 'model'>;
  };

  constructor(options: {
    store: Pick<WorkflowStore, 'states' | 'countRuns'>;
    directory: Pick<PathDirectory, 'model'>;
  }) {
    this.#options = options;
  }

  async summaries(
    minutes: number,
    now: number,
  ): Promise<Map<string, WorkflowSummary>> {
    const { store, directory } = this.#options;
    const { paths } = await directory.model();
    const summaries = new Map<string, WorkflowSummary>();
    const walked = [...paths.values()]
      .map(({ path }) => ({
        path,
        workflows: path.workflows.filter(w => w.criticality === 'required'),
      }))
      .filter(({ workflows }) => workflows.length > 0);
    if (walked.length === 0) {
      return summaries;
    }
    const states = new Map(
      (await store.states(now)).map(s => [`${s.pathRef}/${s.workflow}`, s]),
    );
    const counts = await countsOver(store, minutes, now);
    for (const { path, workflows } of walked) {
      const known = workflows
        .map(workflow => {
          const state = states.get(`${path.entityRef}/${workflow.name}`);
          return { workflow, state, ...statusOf(workflow, state, now) };
        })
        .sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
      const [{ workflow, state, status, message }] = known;
      const { runs, completed } = uptimeOf(
        workflows.flatMap(w => counts.get(`${path.entityRef}/${w.name}`) ?? []),
      );
      summaries.set(path.entityRef, {
        status,
        title: workflow.title,
        lastRunAt: state?.last
          ? new Date(state.last.started).toISOString()
          : null,
        durationMs: state?.last?.durationMs ?? null,
        ...(status === 'failed' && state?.last?.failedStep
          ? { failedStep: state.last.failedStep }
          : {}),
        ...(message ? { message } : {}),
        completed,
        runs,
      });
    }
    return summaries;
  }
}
