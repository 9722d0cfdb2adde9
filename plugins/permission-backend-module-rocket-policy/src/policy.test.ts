import { mockCredentials, mockServices } from '@backstage/backend-test-utils';
import {
  catalogEntityDeletePermission,
  catalogEntityReadPermission,
  catalogLocationCreatePermission,
} from '@backstage/plugin-catalog-common/alpha';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import {
  taskCancelPermission,
  taskCreatePermission,
  taskReadPermission,
} from '@backstage/plugin-scaffolder-common/alpha';
import {
  ciRegistryAuditPermission,
  ciRegistryBindingForgetPermission,
} from '@rocket/plugin-ci-registry-common';
import { criticalPathsPolicyManagePermission } from '@rocket/plugin-critical-paths-common';
import { RocketPermissionPolicy } from './policy';

const user = { credentials: mockCredentials.user('user:default/ann') } as any;

function policyFor(groups: string[]) {
  const userInfo = mockServices.userInfo.mock({
    getUserInfo: async () => ({
      userEntityRef: 'user:default/ann',
      ownershipEntityRefs: ['user:default/ann', ...groups],
    }),
  });
  return new RocketPermissionPolicy({
    userInfo,
    administrators: ['group:default/Platform'],
  });
}

describe('RocketPermissionPolicy', () => {
  const member = policyFor(['group:default/ledger']);
  const administrator = policyFor(['group:default/platform']);

  it.each([catalogEntityReadPermission, taskCreatePermission])(
    'lets everybody signed in do $name',
    async permission => {
      await expect(member.handle({ permission }, user)).resolves.toEqual({
        result: AuthorizeResult.ALLOW,
      });
    },
  );

  it.each([
    catalogEntityReadPermission,
    catalogEntityDeletePermission,
    taskCreatePermission,
  ])('refuses $name without a sign-in', async permission => {
    await expect(member.handle({ permission })).resolves.toEqual({
      result: AuthorizeResult.DENY,
    });
  });

  it('binds the removal of entities to their owners', async () => {
    await expect(
      member.handle({ permission: catalogEntityDeletePermission }, user),
    ).resolves.toMatchObject({
      result: AuthorizeResult.CONDITIONAL,
      conditions: {
        rule: 'IS_ENTITY_OWNER',
        params: { claims: ['user:default/ann', 'group:default/ledger'] },
      },
    });
  });

  it.each([taskReadPermission, taskCancelPermission])(
    'binds $name to who created the task',
    async permission => {
      await expect(member.handle({ permission }, user)).resolves.toMatchObject({
        result: AuthorizeResult.CONDITIONAL,
        conditions: {
          rule: 'IS_TASK_OWNER',
          params: { createdBy: ['user:default/ann'] },
        },
      });
    },
  );

  it.each([
    catalogLocationCreatePermission,
    criticalPathsPolicyManagePermission,
    ciRegistryAuditPermission,
    ciRegistryBindingForgetPermission,
  ])('keeps $name to administrators, by group', async permission => {
    const query = { permission };
    await expect(member.handle(query, user)).resolves.toEqual({
      result: AuthorizeResult.DENY,
    });
    await expect(administrator.handle(query, user)).resolves.toEqual({
      result: AuthorizeResult.ALLOW,
    });
  });
});
