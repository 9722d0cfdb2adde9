import { createPermission } from '@backstage/plugin-permission-common';

/** Read experiments, runs and the scoreboard. */
export const chaosReadPermission = createPermission({
  name: 'chaos.read',
  attributes: { action: 'read' },
});

/** Design experiments and change the plan of one's own team. */
export const chaosDesignPermission = createPermission({
  name: 'chaos.design',
  attributes: { action: 'update' },
});

/** Start experiments and end them before their time. */
export const chaosRunPermission = createPermission({
  name: 'chaos.run',
  attributes: { action: 'update' },
});

export const chaosPermissions = [
  chaosReadPermission,
  chaosDesignPermission,
  chaosRunPermission,
];
