import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Stands in front of a database, and can be as bad as a network. */
export class Proxy {
  readonly #target: { host: string; port: number };
  readonly #sockets = new Set<Socket>();
  #away = false;
  #hanging = false;
  #cutAt?: { text: string; forward: boolean };

  readonly #server = createServer(client => {
    if (this.#away) {
      client.destroy();
      return;
    }
    const database = connect(this.#target);
    for (const socket of [client, database]) {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        database.destroy();
      });
    }
    let isLost = false;
    client.on('data', data => {
      const at = this.#cutAt;
      const isMoment = at && data.toString('latin1').includes(at.text);
      if (!this.#hanging && (!isMoment || at.forward)) {
        database.write(data);
      }
      if (isMoment) {
        this.#cutAt = undefined;
        this.#away = true;
        isLost = true;
        if (!at.forward) client.destroy();
      }
    });
    database.on('data', data => {
      // What came through was done; only the answer does not get back.
      if (isLost) client.destroy();
      else if (!this.#hanging) client.write(data);
    });
  });

  constructor(target: { host: string; port: number }) {
    this.#target = target;
  }

  async listen(): Promise<number> {
    await new Promise<void>(resolve => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections break, and new ones are refused. */
  cut(): void {
    this.#away = true;
    this.#sockets.forEach(socket => socket.destroy());
  }

  /** Nothing breaks, and nothing comes through. */
  hang(): void {
    this.#hanging = true;
  }

  /** Cuts when a statement with this text is on its way, and lets it through or not. */
  cutAt(text: string, forward = false): void {
    this.#cutAt = { text, forward };
  }

  restore(): void {
    this.#cutAt = undefined;
    if (this.#hanging) this.#sockets.forEach(socket => socket.destroy());
    this.#hanging = false;
    this.#away = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}
