import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** When to cut, and how. */
interface Moment {
  /** A statement with this text is on its way. */
  text: string;
  /** On a connection that carried a statement with this text before: others commit as well. */
  after?: string;
  /** Let it through, and lose only the answer. */
  forward?: boolean;
}

/** Stands in front of a database, and can be as bad as a network. */
export class Proxy {
  readonly #target: { host: string; port: number };
  readonly #sockets = new Set<Socket>();
  #away = false;
  #hanging = false;
  #cutAt?: Moment;

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
    let came: Moment | undefined;
    client.on('data', data => {
      const at = this.#cutAt;
      const text = data.toString('latin1');
      const isMoment =
        at && text.includes(at.text) && (!at.after || came === at);
      if (at?.after && text.includes(at.after)) came = at;
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

  cutAt(moment: Moment): void {
    this.#cutAt = moment;
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
