import { createPermission } from '@backstage/plugin-permission-common';

/** Push entities into the catalog. */
export const ciRegistryRegisterPermission = createPermission({
  name: 'ci-registry.entity.register',
  attributes: { action: 'create' },
});

/** Read what was pushed. */
export const ciRegistryReadPermission = createPermission({
  name: 'ci-registry.entity.read',
  attributes: { action: 'read' },
});

/** Read who was let in and who was not. */
export const ciRegistryAuditPermission = createPermission({
  name: 'ci-registry.decision.read',
  attributes: { action: 'read' },
});

/** Let a repository or owner that took over a name push under it. */
export const ciRegistryBindingForgetPermission = createPermission({
  name: 'ci-registry.binding.forget',
  attributes: { action: 'delete' },
});

export const ciRegistryPermissions = [
  ciRegistryBindingForgetPermission,
  ciRegistryAuditPermission,
  ciRegistryRegisterPermission,
  ciRegistryReadPermission,
];
