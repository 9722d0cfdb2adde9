import { createBackendPlugin } from '@backstage/backend-plugin-api';

export const ciRegistryPlugin = createBackendPlugin({
  pluginId: 'ci-registry',
  register(env) {
    env.registerInit({ deps: {}, async init() {} });
  },
});
