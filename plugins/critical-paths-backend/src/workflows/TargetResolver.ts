import type { AuthService } from '@backstage/backend-plugin-api';
import { parseEntityRef } from '@backstage/catalog-model';
import { toError } from '@backstage/errors';
import {
  isComponentTarget,
  type ParsedWorkflow,
  type ResolvedPath,
} from '@rocket/plugin-critical-paths-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import { AddressPolicy } from './addresses';
import type { ConfiguredTarget, WorkflowSettings } from './settings';

/** Where requests go, or why they go nowhere, for people. */
export type Resolution =
  | { target: ConfiguredTarget; missing?: undefined }
  | { missing: string; target?: undefined };

/** Finds out where the target of a workflow is. */
export class TargetResolver {
  readonly #options: {
    settings: Pick<WorkflowSettings, 'targets'>;
    provisioning: Pick<ProvisioningService, 'getService'>;
    auth: AuthService;
  };

  constructor(options: {
    settings: Pick<WorkflowSettings, 'targets'>;
    /** Knows where applications run. */
    provisioning: Pick<ProvisioningService, 'getService'>;
    auth: AuthService;
  }) {
    this.#options = options;
  }

  /** The targets of all steps, or why one of them is missing. */
  async resolveAll(
    workflow: ParsedWorkflow,
    path: ResolvedPath,
  ): Promise<
    | { targets: Map<string, ConfiguredTarget>; missing?: undefined }
    | { missing: string; targets?: undefined }
  > {
    const targets = new Map<string, ConfiguredTarget>();
    for (const name of new Set(workflow.steps.map(step => step.target))) {
      const resolution = await this.resolve(name, path);
      if (resolution.missing !== undefined) {
        return { missing: resolution.missing };
      }
      targets.set(name, resolution.target);
    }
    return { targets };
  }

  async resolve(name: string, path: ResolvedPath): Promise<Resolution> {
    return isComponentTarget(name)
      ? this.#component(name, path)
      : this.#configured(name, path);
  }

  #configured(name: string, { path }: ResolvedPath): Resolution {
    const target = this.#options.settings.targets.get(name);
    if (!target) {
      return {
        missing: `no target: criticalPaths.workflows.targets has no ${name}`,
      };
    }
    if (target.paths && !target.paths.includes(path.entityRef)) {
      return {
        missing: `the path is not in criticalPaths.workflows.targets.${name}.paths`,
      };
    }
    return { target };
  }

  async #component(ref: string, path: ResolvedPath): Promise<Resolution> {
    const members = path.steps.flatMap(step => step.members);
    const member = members.find(({ entityRef }) => entityRef === ref);
    if (!member) {
      return { missing: `${ref} is no application of the path` };
    }
    const { auth, provisioning } = this.#options;
    try {
      const credentials = await auth.getOwnServiceCredentials();
      const service = await provisioning.getService(parseEntityRef(ref).name, {
        credentials,
      });
      if (service.entityRef.toLowerCase() !== ref || !service.url) {
        return { missing: `no target: ${ref} does not run yet` };
      }
      const baseUrl = new URL(service.url);
      return {
        target: {
          baseUrl,
          // The runtime's own word; nothing else on this machine becomes reachable by it.
          addresses: new AddressPolicy(['127.0.0.0/8', '::1']),
          headers: {},
        },
      };
    } catch (error) {
      const { name, message } = toError(error);
      return {
        missing:
          name === 'NotFoundError'
            ? `no target: ${ref} is not deployed`
            : `no target: ${message}`,
      };
    }
  }
}
