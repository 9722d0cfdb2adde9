import {
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import type { ProvisioningService } from './provisioningService';
import { ProvisioningClient } from './ProvisioningClient';

/** Provisioning for other backend plugins: over HTTP, on behalf of the given credentials. */
export const provisioningServiceRef = createServiceRef<ProvisioningService>({
  id: 'rocket.provisioning',
  defaultFactory: async service =>
    createServiceFactory({
      service,
      deps: { auth: coreServices.auth, discovery: coreServices.discovery },
      factory: deps => new ProvisioningClient(deps),
    }),
});
