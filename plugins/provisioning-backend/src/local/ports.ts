import { createServer } from 'node:net';
import type { LogSink } from './ServiceLogFile';

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

/** The ports of one range: a stable one for each service, counted from below, and one for each instance, from above. */
export class Ports {
  readonly #range: { from: number; to: number };
  readonly #registry: PortRegistry;
  /** Of instances that may not listen yet. */
  readonly #reserved = new Set<number>();

  constructor(options: {
    range: { from: number; to: number };
    registry: PortRegistry;
  }) {
    this.#range = options.range;
    this.#registry = options.registry;
  }

  /**
   * The port the service had before, if it can still have it; else a free one.
   * @param held - whether the service's own proxy listens on a port
   */
  async stable(
    name: string,
    held: (port: number) => boolean,
    log: LogSink,
  ): Promise<number> {
    const { from, to } = this.#range;
    const known = await this.#registry.getPort(name);
    if (known !== undefined && known >= from && known <= to) {
      if (held(known)) return known;
      if (!this.#reserved.has(known) && (await isPortFree(known))) return known;
      log.write(
        'rocket',
        `port ${known} is taken by another program; the service moves to another port`,
      );
    }
    const taken = new Set(await this.#registry.listPorts());
    for (let port = from; port <= to; port += 1) {
      if (
        !taken.has(port) &&
        !this.#reserved.has(port) &&
        (await isPortFree(port)) &&
        (await this.#registry.takePort(name, port))
      ) {
        return port;
      }
    }
    throw this.#none();
  }

  /** A port for one instance, until it is given back. Not the system's ephemeral ones: any connection could take those before the instance listens. */
  async take(): Promise<number> {
    const taken = new Set(await this.#registry.listPorts());
    for (let port = this.#range.to; port >= this.#range.from; port -= 1) {
      if (taken.has(port) || this.#reserved.has(port)) continue;
      this.#reserved.add(port);
      if (await isPortFree(port)) return port;
      this.#reserved.delete(port);
    }
    throw this.#none();
  }

  giveBack(port: number): void {
    this.#reserved.delete(port);
  }

  #none() {
    return new Error(
      `No port between ${this.#range.from} and ${
        this.#range.to
      } is free; end a service or widen provisioning.local.ports`,
    );
  }
}
