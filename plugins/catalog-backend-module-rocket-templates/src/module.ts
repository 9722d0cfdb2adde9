import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { ScmIntegrations } from '@backstage/integration';
import { catalogProcessingExtensionPoint } from '@backstage/plugin-catalog-node';
import { FetchBaseProcessor } from './FetchBaseProcessor';

/** Lets golden templates read from a folder that they share. */
export const catalogModuleRocketTemplates = createBackendModule({
  pluginId: 'catalog',
  moduleId: 'rocket-templates',
  register(reg) {
    reg.registerInit({
      deps: {
        catalog: catalogProcessingExtensionPoint,
        config: coreServices.rootConfig,
      },
      async init({ catalog, config }) {
        const integrations = ScmIntegrations.fromConfig(config);
        catalog.addProcessor(new FetchBaseProcessor(integrations));
      },
    });
  },
});
