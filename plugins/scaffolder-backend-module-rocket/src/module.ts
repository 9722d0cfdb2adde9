import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { catalogServiceRef } from '@backstage/plugin-catalog-node';
import { scaffolderActionsExtensionPoint } from '@backstage/plugin-scaffolder-node';
import { scaffolderWorkspaceProviderExtensionPoint } from '@backstage/plugin-scaffolder-node/alpha';
import { ciRegistryServiceRef } from '@rocket/plugin-ci-registry-node';
import { provisioningServiceRef } from '@rocket/plugin-provisioning-node';
import { createDatabaseCreateAction } from './actions/databaseCreate';
import { createDeployAction } from './actions/deploy';
import { createDeployLocalAction } from './actions/deployLocal';
import { createEnvironmentCreateAction } from './actions/environmentCreate';
import { createKubernetesApplyAction } from './actions/kubernetesApply';
import { createNewRelicProvisionAction } from './actions/newrelicProvision';
import { createPreflightAction } from './actions/preflight';
import { createPublishLocalAction } from './actions/publishLocal';
import { createRegisterAction } from './actions/register';
import { SavedWorkspaces } from './lib/SavedWorkspaces';

/** The steps of Rocket's golden templates, and the place where their unfinished runs are kept. */
export const scaffolderModuleRocket = createBackendModule({
  pluginId: 'scaffolder',
  moduleId: 'rocket',
  register(reg) {
    reg.registerInit({
      deps: {
        actions: scaffolderActionsExtensionPoint,
        catalog: catalogServiceRef,
        config: coreServices.rootConfig,
        discovery: coreServices.discovery,
        provisioning: provisioningServiceRef,
        registry: ciRegistryServiceRef,
        workspaces: scaffolderWorkspaceProviderExtensionPoint,
      },
      async init({ actions, config, workspaces, ...services }) {
        actions.addActions(
          createPreflightAction(services),
          createPublishLocalAction(services),
          createDatabaseCreateAction(services),
          createDeployAction(services),
          createDeployLocalAction(services),
          createEnvironmentCreateAction(services),
          createKubernetesApplyAction(services),
          createNewRelicProvisionAction(services),
          createRegisterAction(services),
        );
        const directory = config.getOptionalString(
          'scaffolder.savedWorkspaces.directory',
        );
        if (directory) {
          const saved = new SavedWorkspaces(directory);
          await saved.prune();
          workspaces.addProviders({ disk: saved });
        }
      },
    });
  },
});
