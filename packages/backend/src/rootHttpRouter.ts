import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';

/** Time that running requests get when the backend ends. */
const GRACE_MS = 1_000;

/**
 * The stock router. At the end of the backend it also closes what would never
 * end by itself: event streams, web sockets and connections that browsers keep.
 */
export const rootHttpRouter = rootHttpRouterServiceFactory({
  configure({ applyDefaults, lifecycle, server }) {
    applyDefaults();
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    lifecycle.addShutdownHook(async () => {
      await delay(GRACE_MS);
      for (const socket of sockets) socket.destroy();
    });
  },
});
