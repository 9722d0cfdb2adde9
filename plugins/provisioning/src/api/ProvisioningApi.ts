import { createApiRef } from '@backstage/frontend-plugin-api';
import type {
  GitToken,
  NameAvailability,
  Repository,
  ServiceLog,
  ServiceStatus,
} from '@rocket/plugin-provisioning-common';

/** What a person may tell a service to do. */
export type ServiceOperation = 'start' | 'stop' | 'restart';

/** The provisioning backend as the portal uses it. Errors carry the backend's words. */
export interface ProvisioningApi {
  checkName(name: string, signal?: AbortSignal): Promise<NameAvailability>;
  /** Undefined when the runtime has no such service. */
  getService(
    name: string,
    signal?: AbortSignal,
  ): Promise<ServiceStatus | undefined>;
  operate(name: string, operation: ServiceOperation): Promise<ServiceStatus>;
  /** The newest lines, or those after a cursor. */
  getLog(
    name: string,
    request: { after?: number; limit?: number },
    signal?: AbortSignal,
  ): Promise<ServiceLog>;
  /** Undefined when Rocket's Git host has no such repository. */
  getRepository(
    name: string,
    signal?: AbortSignal,
  ): Promise<Repository | undefined>;
  /** A short-lived password for Git; it cannot be read again. */
  createGitToken(request: {
    repository: string;
    access: 'read' | 'write';
  }): Promise<GitToken>;
}

export const provisioningApiRef = createApiRef<ProvisioningApi>().with({
  id: 'plugin.provisioning.client',
  pluginId: 'provisioning',
});
