import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import type {
  DeployRequest,
  GitToken,
  NameAvailability,
  Repository,
  ServiceLog,
  ServiceStatus,
} from '@rocket/plugin-provisioning-common';

/** How other backend plugins reach provisioning; the calls act for `credentials`. */
export interface ProvisioningService {
  checkName(
    name: string,
    options: { credentials: BackstageCredentials },
  ): Promise<NameAvailability>;
  /**
   * `ConflictError` when the name is taken by another owner's or a non-empty
   * repository; the same request again returns the same repository. With a
   * `requestId` (a scaffolder task's id, say) that holds after the first push
   * too, so that an interrupted run can go on.
   */
  createRepository(
    request: {
      name: string;
      owner: string;
      description?: string;
      requestId?: string;
    },
    options: { credentials: BackstageCredentials },
  ): Promise<Repository>;
  /** `NotFoundError` when there is none. */
  getRepository(
    name: string,
    options: { credentials: BackstageCredentials },
  ): Promise<Repository>;
  createGitToken(
    request: { repository: string; access: 'read' | 'write' },
    options: { credentials: BackstageCredentials },
  ): Promise<GitToken>;
  /** Accepted at once; follow it with `getService`. Repeating it for the same commit does nothing new. */
  deploy(
    request: DeployRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<ServiceStatus>;
  /** Every service of the runtimes, by name. */
  listServices(options: {
    credentials: BackstageCredentials;
  }): Promise<ServiceStatus[]>;
  getService(
    name: string,
    options: { credentials: BackstageCredentials },
  ): Promise<ServiceStatus>;
  getLog(
    name: string,
    request: { after?: number; limit?: number },
    options: { credentials: BackstageCredentials },
  ): Promise<ServiceLog>;
}
