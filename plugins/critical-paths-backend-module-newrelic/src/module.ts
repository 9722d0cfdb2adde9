import { createBackendModule } from '@backstage/backend-plugin-api';

export const criticalPathsModuleNewRelic = createBackendModule({
  pluginId: 'critical-paths',
  moduleId: 'newrelic',
  register(reg) {
    reg.registerInit({ deps: {}, async init() {} });
  },
});
