import { createPermission } from '@backstage/plugin-permission-common';

/** Read repositories, services and their logs. */
export const provisioningReadPermission = createPermission({
  name: 'provisioning.read',
  attributes: { action: 'read' },
});

/** Create repositories and services. */
export const provisioningCreatePermission = createPermission({
  name: 'provisioning.create',
  attributes: { action: 'create' },
});

/** Start, stop and redeploy services. */
export const provisioningOperatePermission = createPermission({
  name: 'provisioning.operate',
  attributes: { action: 'update' },
});

/** Agree to or refuse what another person asked for, where an environment wants that. */
export const provisioningApprovePermission = createPermission({
  name: 'provisioning.approve',
  attributes: { action: 'update' },
});

export const provisioningPermissions = [
  provisioningReadPermission,
  provisioningCreatePermission,
  provisioningOperatePermission,
  provisioningApprovePermission,
];
