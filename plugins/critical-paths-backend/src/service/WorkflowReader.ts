import type { WorkflowSummary } from '@rocket/plugin-critical-paths-common';

/** What the boards read about synthetic workflows. */
export interface WorkflowReader {
  /**
   * Last results by path ref over the runs of the `minutes` before `now`
   * (milliseconds since the epoch); paths without a workflow are left out.
   */
  summaries(
    minutes: number,
    now: number,
  ): Promise<Map<string, WorkflowSummary>>;
}

/** For installations and tests without workflows. */
export const NO_WORKFLOWS: WorkflowReader = {
  summaries: async () => new Map(),
};
