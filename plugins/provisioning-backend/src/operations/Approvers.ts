import type {
  AuthService,
  BackstageCredentials,
  UserInfoService,
} from '@backstage/backend-plugin-api';
import { NotAllowedError } from '@backstage/errors';
import type { OperationRecord } from './OperationStore';

const same = (a: string, b: string) =>
  a.toLocaleLowerCase('en-US') === b.toLocaleLowerCase('en-US');

/** Who may agree to what another one asked for. */
export class Approvers {
  readonly #auth: AuthService;
  readonly #userInfo: UserInfoService;

  constructor(deps: { auth: AuthService; userInfo: UserInfoService }) {
    this.#auth = deps.auth;
    this.#userInfo = deps.userInfo;
  }

  /**
   * @returns the approver's entity ref
   * @throws NotAllowedError for services, for who asked for it (whatever their
   * groups are), and for who is in none of the groups of an environment.
   */
  async require(
    record: Pick<OperationRecord, 'requestedBy' | 'approvalGroups'>,
    credentials: BackstageCredentials,
  ): Promise<string> {
    if (!this.#auth.isPrincipal(credentials, 'user')) {
      throw new NotAllowedError(
        'Only a person can decide on an operation, not a service',
      );
    }
    const { userEntityRef, ownershipEntityRefs } =
      await this.#userInfo.getUserInfo(credentials);
    const me = [credentials.principal.userEntityRef, userEntityRef];
    if (me.some(ref => same(ref, record.requestedBy))) {
      throw new NotAllowedError(
        'You asked for this operation; somebody else has to decide on it',
      );
    }
    for (const groups of record.approvalGroups ?? []) {
      if (!groups.some(g => ownershipEntityRefs.some(ref => same(ref, g)))) {
        throw new NotAllowedError(
          `Only a member of ${groups.join(' or ')} may decide on it`,
        );
      }
    }
    return credentials.principal.userEntityRef;
  }
}
