import { createBackendModule } from '@backstage/backend-plugin-api';
import { catalogProcessingExtensionPoint } from '@backstage/plugin-catalog-node';
import { CriticalPathProcessor } from './CriticalPathProcessor';

/** Adds the kind CriticalPath to the catalog. */
export const catalogModuleCriticalPaths = createBackendModule({
  pluginId: 'catalog',
  moduleId: 'critical-paths',
  register(reg) {
    reg.registerInit({
      deps: { catalog: catalogProcessingExtensionPoint },
      async init({ catalog }) {
        catalog.addProcessor(new CriticalPathProcessor());
      },
    });
  },
});
