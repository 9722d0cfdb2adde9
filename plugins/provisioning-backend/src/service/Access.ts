import type {
  AuthService,
  BackstageCredentials,
  PermissionsService,
  UserInfoService,
} from '@backstage/backend-plugin-api';
import { NotAllowedError } from '@backstage/errors';
import {
  AuthorizeResult,
  type BasicPermission,
} from '@backstage/plugin-permission-common';

/** Who may do what: a permission for the kind of act, and ownership for what it is done to. */
export class Access {
  readonly #auth: AuthService;
  readonly #permissions: PermissionsService;
  readonly #userInfo: UserInfoService;

  constructor(deps: {
    auth: AuthService;
    permissions: PermissionsService;
    userInfo: UserInfoService;
  }) {
    this.#auth = deps.auth;
    this.#permissions = deps.permissions;
    this.#userInfo = deps.userInfo;
  }

  async authorize(
    credentials: BackstageCredentials,
    permission: BasicPermission,
  ): Promise<void> {
    const [decision] = await this.#permissions.authorize([{ permission }], {
      credentials,
    });
    if (decision.result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(
        `You do not have the permission ${permission.name}`,
      );
    }
  }

  /** Users may act only for themselves and their groups; other services may act for all. */
  async requireOwner(
    credentials: BackstageCredentials,
    owner: string,
  ): Promise<void> {
    if (!this.#auth.isPrincipal(credentials, 'user')) return;
    const { ownershipEntityRefs } = await this.#userInfo.getUserInfo(
      credentials,
    );
    const wanted = owner.toLocaleLowerCase('en-US');
    if (
      !ownershipEntityRefs.some(
        ref => ref.toLocaleLowerCase('en-US') === wanted,
      )
    ) {
      throw new NotAllowedError(
        `Only ${owner} may do this, and you are not one of them`,
      );
    }
  }

  /** A name for records: the user's entity ref, or the calling service's subject. */
  describe(credentials: BackstageCredentials): string {
    if (this.#auth.isPrincipal(credentials, 'user')) {
      return credentials.principal.userEntityRef;
    }
    if (this.#auth.isPrincipal(credentials, 'service')) {
      return credentials.principal.subject;
    }
    return 'unknown';
  }
}
