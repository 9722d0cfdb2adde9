import type { UserInfoService } from '@backstage/backend-plugin-api';
import {
  catalogConditions,
  createCatalogConditionalDecision,
} from '@backstage/plugin-catalog-backend/alpha';
import {
  catalogEntityDeletePermission,
  catalogEntityRefreshPermission,
  catalogLocationCreatePermission,
  catalogLocationDeletePermission,
} from '@backstage/plugin-catalog-common/alpha';
import {
  AuthorizeResult,
  type PolicyDecision,
  isPermission,
  isResourcePermission,
} from '@backstage/plugin-permission-common';
import type {
  PermissionPolicy,
  PolicyQuery,
  PolicyQueryUser,
} from '@backstage/plugin-permission-node';
import {
  createScaffolderTaskConditionalDecision,
  scaffolderTaskConditions,
} from '@backstage/plugin-scaffolder-backend/alpha';
import {
  RESOURCE_TYPE_SCAFFOLDER_TASK,
  templateManagementPermission,
} from '@backstage/plugin-scaffolder-common/alpha';
import {
  ciRegistryAuditPermission,
  ciRegistryBindingForgetPermission,
} from '@rocket/plugin-ci-registry-common';
import { criticalPathsPolicyManagePermission } from '@rocket/plugin-critical-paths-common';

/** Permissions for administrators alone. */
const ADMINISTRATION = [
  catalogLocationCreatePermission,
  catalogLocationDeletePermission,
  templateManagementPermission,
  // What a path loses is not its own team's to declare away.
  criticalPathsPolicyManagePermission,
  // Who pushed what, and under which name, is of all teams.
  ciRegistryAuditPermission,
  ciRegistryBindingForgetPermission,
];

/**
 * What a signed-in person may do:
 * - read everything, run templates, and act on what is theirs: the plugins
 *   check ownership of a service or repository themselves;
 * - refresh and delete only entities that they or their groups own: what a
 *   pipeline registered is not another team's to remove;
 * - see and cancel only their own scaffolder tasks, whose form values may be
 *   confidential;
 * - as an administrator, everything.
 *
 * Nobody without a sign-in may do anything.
 */
export class RocketPermissionPolicy implements PermissionPolicy {
  readonly #userInfo: UserInfoService;
  readonly #administrators: Set<string>;

  constructor(options: {
    userInfo: UserInfoService;
    /** Entity refs, in any letter case. */
    administrators: string[];
  }) {
    this.#userInfo = options.userInfo;
    this.#administrators = new Set(
      options.administrators.map(ref => ref.toLocaleLowerCase('en-US')),
    );
  }

  async handle(
    { permission }: PolicyQuery,
    user?: PolicyQueryUser,
  ): Promise<PolicyDecision> {
    if (!user) return { result: AuthorizeResult.DENY };

    const { userEntityRef, ownershipEntityRefs } =
      await this.#userInfo.getUserInfo(user.credentials);
    const refs = [...new Set([userEntityRef, ...ownershipEntityRefs])];
    if (refs.some(ref => this.#administrators.has(ref))) {
      return { result: AuthorizeResult.ALLOW };
    }

    if (ADMINISTRATION.some(p => isPermission(permission, p))) {
      return { result: AuthorizeResult.DENY };
    }
    if (
      isPermission(permission, catalogEntityDeletePermission) ||
      isPermission(permission, catalogEntityRefreshPermission)
    ) {
      return createCatalogConditionalDecision(
        permission,
        catalogConditions.isEntityOwner({ claims: refs }),
      );
    }
    if (isResourcePermission(permission, RESOURCE_TYPE_SCAFFOLDER_TASK)) {
      return createScaffolderTaskConditionalDecision(
        permission,
        scaffolderTaskConditions.isTaskOwner({ createdBy: [userEntityRef] }),
      );
    }
    return { result: AuthorizeResult.ALLOW };
  }
}
