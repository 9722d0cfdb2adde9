import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { resolvePackagePath } from '@backstage/backend-plugin-api';
import { compressedAssets } from './compressedAssets';
import { trackConnections } from './trackConnections';

/**
 * The stock router, which hands out the portal's own scripts ready compressed.
 * At the end of the backend it also closes what would never end by itself:
 * event streams, web sockets and connections that browsers keep.
 */
export const rootHttpRouter = rootHttpRouterServiceFactory({
  configure({ app, applyDefaults, lifecycle, middleware, server }) {
    app.use(
      '/static',
      middleware.helmet(),
      compressedAssets(resolvePackagePath('app', 'dist/static')),
    );
    applyDefaults();
    const connections = trackConnections(server);
    lifecycle.addShutdownHook(() => connections.close());
  },
});
