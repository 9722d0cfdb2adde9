import { createFrontendPlugin } from '@backstage/frontend-plugin-api';

export const criticalPathsPlugin = createFrontendPlugin({
  pluginId: 'critical-paths',
  info: { packageJson: () => import('../package.json') },
  extensions: [],
});
