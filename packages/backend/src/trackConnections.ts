import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Time that running requests get when the backend ends. */
const GRACE_MS = 10_000;
const LOOK_MS = 50;

const EVENT_STREAM = 'text/event-stream';

function isEndless(response: ServerResponse): boolean {
  // Headers that went out with writeHead() cannot be read back.
  return [response.req.headers.accept, response.getHeader('content-type')].some(
    value => String(value).startsWith(EVENT_STREAM),
  );
}

/** Knows the connections of a server, and closes them without waiting for those that never end. */
export function trackConnections(server: Pick<Server, 'on'>) {
  const sockets = new Set<Socket>();
  const answering = new Map<Socket, ServerResponse>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', ({ socket }: IncomingMessage, res: ServerResponse) => {
    answering.set(socket, res);
    res.once('close', () => {
      if (answering.get(socket) === res) answering.delete(socket);
    });
  });
  return {
    /**
     * Closes at once what waits for a request or never ends (event streams and
     * web sockets), and the others when they have their answer.
     *
     * @param graceMs - After this time those without one are closed too.
     */
    async close(graceMs = GRACE_MS): Promise<void> {
      const end = Date.now() + graceMs;
      for (;;) {
        for (const socket of sockets) {
          const response = answering.get(socket);
          if (!response) socket.destroySoon();
          if (response && (isEndless(response) || Date.now() >= end)) {
            socket.destroy();
          }
        }
        if (answering.size === 0 || Date.now() >= end) break;
        await delay(LOOK_MS);
      }
      // Web sockets whose other side does not answer.
      await delay(LOOK_MS);
      for (const socket of sockets) socket.destroy();
    },
  };
}
