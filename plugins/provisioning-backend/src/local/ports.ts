import { createServer } from 'node:net';
import type { ServiceLogFile } from './ServiceLogFile';

/** Whether nobody listens on the port of 127.0.0.1 now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}

/** Which service has which port. */
export interface PortRegistry {
  getPort(name: string): Promise<number | undefined>;
  takePort(name: string, port: number): Promise<boolean>;
  /** The service gives its port up. */
  releasePort(name: string): Promise<void>;
  listPorts(): Promise<number[]>;
}

/** The port the service had before, if it can still have it; else a free one. */
export async function choosePort(
  name: string,
  options: {
    registry: PortRegistry;
    ports: { from: number; to: number };
    log: ServiceLogFile;
  },
): Promise<number> {
  const { registry, ports, log } = options;
  const known = await registry.getPort(name);
  if (known !== undefined && known >= ports.from && known <= ports.to) {
    if (await isPortFree(known)) return known;
    log.write(
      'rocket',
      `port ${known} is taken by another program; the service moves to another port`,
    );
  }
  const taken = new Set(await registry.listPorts());
  for (let port = ports.from; port <= ports.to; port += 1) {
    if (
      !taken.has(port) &&
      (await isPortFree(port)) &&
      (await registry.takePort(name, port))
    ) {
      return port;
    }
  }
  throw new Error(
    `No port between ${ports.from} and ${ports.to} is free; end a service or widen provisioning.local.ports`,
  );
}
