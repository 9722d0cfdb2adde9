import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { catalogServiceRef } from '@backstage/plugin-catalog-node';
import { scaffolderActionsExtensionPoint } from '@backstage/plugin-scaffolder-node';
import { ciRegistryServiceRef } from '@rocket/plugin-ci-registry-node';
import { provisioningServiceRef } from '@rocket/plugin-provisioning-node';
import { createDeployLocalAction } from './actions/deployLocal';
import { createPublishLocalAction } from './actions/publishLocal';
import { createRegisterAction } from './actions/register';

/** The steps of Rocket's golden templates. */
export const scaffolderModuleRocket = createBackendModule({
  pluginId: 'scaffolder',
  moduleId: 'rocket',
  register(reg) {
    reg.registerInit({
      deps: {
        actions: scaffolderActionsExtensionPoint,
        catalog: catalogServiceRef,
        discovery: coreServices.discovery,
        provisioning: provisioningServiceRef,
        registry: ciRegistryServiceRef,
      },
      async init({ actions, ...services }) {
        actions.addActions(
          createPublishLocalAction(services),
          createDeployLocalAction(services),
          createRegisterAction(services),
        );
      },
    });
  },
});
