import { createBackendPlugin } from '@backstage/backend-plugin-api';

export const provisioningPlugin = createBackendPlugin({
  pluginId: 'provisioning',
  register(env) {
    env.registerInit({ deps: {}, async init() {} });
  },
});
