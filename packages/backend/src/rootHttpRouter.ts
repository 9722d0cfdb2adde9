import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { trackConnections } from './trackConnections';

/**
 * The stock router. At the end of the backend it also closes what would never
 * end by itself: event streams, web sockets and connections that browsers keep.
 */
export const rootHttpRouter = rootHttpRouterServiceFactory({
  configure({ applyDefaults, lifecycle, server }) {
    applyDefaults();
    const connections = trackConnections(server);
    lifecycle.addShutdownHook(() => connections.close());
  },
});
