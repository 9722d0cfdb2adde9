import { createApiRef } from '@backstage/frontend-plugin-api';
import type { CriticalPathsClient } from '@rocket/plugin-critical-paths-common';

/** What the portal asks about synthetic workflows. */
export type WorkflowsApi = Pick<
  CriticalPathsClient,
  'getWorkflows' | 'getWorkflowRun' | 'getWorkflowScript' | 'startWorkflowRun'
>;

/** The client of the critical-paths backend for workflows. */
export const workflowsApiRef = createApiRef<WorkflowsApi>().with({
  id: 'plugin.critical-paths.workflows',
  pluginId: 'critical-paths',
});
