import { createPermission } from '@backstage/plugin-permission-common';

/** Read boards, paths and their figures. */
export const criticalPathsReadPermission = createPermission({
  name: 'critical-paths.read',
  attributes: { action: 'read' },
});

/** Ask for a collection now. */
export const criticalPathsCollectPermission = createPermission({
  name: 'critical-paths.collect',
  attributes: { action: 'update' },
});

/** Declare planned downtime and start budgets anew. */
export const criticalPathsPolicyManagePermission = createPermission({
  name: 'critical-paths.policy.manage',
  attributes: { action: 'update' },
});

/** Run a synthetic workflow now. */
export const criticalPathsWorkflowRunPermission = createPermission({
  name: 'critical-paths.workflow.run',
  attributes: { action: 'update' },
});

export const criticalPathsPermissions = [
  criticalPathsReadPermission,
  criticalPathsCollectPermission,
  criticalPathsPolicyManagePermission,
  criticalPathsWorkflowRunPermission,
];
