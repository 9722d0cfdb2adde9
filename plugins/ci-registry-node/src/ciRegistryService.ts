import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import type {
  RegisterRequest,
  RegisterResponse,
  RegisteredEntity,
} from '@rocket/plugin-ci-registry-common';

/** How other backend plugins push into the registry; the calls act for `credentials`. */
export interface CiRegistryService {
  /** Durable when it returns; in the catalog moments later. `ConflictError` names the repository that holds an entity. */
  register(
    request: RegisterRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<RegisterResponse>;
  /** Undefined when it was never pushed. */
  getEntity(
    entityRef: string,
    options: { credentials: BackstageCredentials },
  ): Promise<RegisteredEntity | undefined>;
}
