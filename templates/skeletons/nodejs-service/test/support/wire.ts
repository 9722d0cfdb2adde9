import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A wire to the database that can be cut, whatever database it is. */
export class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut = false;

  constructor(target: URL) {
    this.#server = createServer(client => {
      if (this.#cut) {
        client.destroy();
        return;
      }
      const upstream = connect(Number(target.port || 5432), target.hostname);
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          client.destroy();
          upstream.destroy();
          this.#sockets.delete(socket);
        });
      }
      client.pipe(upstream).pipe(client);
    });
  }

  /** Resolves to the address that goes through the wire. */
  static async to(address: string): Promise<{ wire: Wire; url: string }> {
    const url = new URL(address);
    const wire = new Wire(new URL(address));
    await new Promise<void>(resolve => wire.#server.listen(0, '127.0.0.1', resolve));
    url.port = String((wire.#server.address() as AddressInfo).port);
    url.hostname = '127.0.0.1';
    return { wire, url: url.href };
  }

  /** Ends all connections; new ones are ended at once. */
  break(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#cut = false;
  }

  async close(): Promise<void> {
    this.break();
    await new Promise(resolve => this.#server.close(resolve));
  }
}
