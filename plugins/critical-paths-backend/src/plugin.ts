import { createBackendPlugin } from '@backstage/backend-plugin-api';

export const criticalPathsPlugin = createBackendPlugin({
  pluginId: 'critical-paths',
  register(env) {
    env.registerInit({ deps: {}, async init() {} });
  },
});
