import { createApiRef } from '@backstage/frontend-plugin-api';
import type { CriticalPathsClient } from '@rocket/plugin-critical-paths-common';

/** What the portal asks about critical paths. Every call fails with a `ResponseError`. */
export type CriticalPathsApi = Pick<
  CriticalPathsClient,
  | 'getBoard'
  | 'getSignalBoard'
  | 'getTeams'
  | 'getCsv'
  | 'getPath'
  | 'getHistory'
  | 'getComponentPaths'
  | 'getServiceLevelsOfPath'
  | 'getGate'
  | 'getAlerts'
  | 'declareMaintenance'
  | 'withdrawMaintenance'
  | 'resetBudget'
>;

/** The client of the critical-paths backend. */
export const criticalPathsApiRef = createApiRef<CriticalPathsApi>().with({
  id: 'plugin.critical-paths.client',
  pluginId: 'critical-paths',
});
