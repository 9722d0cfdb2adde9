import { createFrontendPlugin } from '@backstage/frontend-plugin-api';

export const provisioningPlugin = createFrontendPlugin({
  pluginId: 'provisioning',
  info: { packageJson: () => import('../package.json') },
  extensions: [],
});
