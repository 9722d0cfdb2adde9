import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TOKEN, writeWorld } from './killedWorld';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** What the process says: it is up, it will stand still at a place, it passes one. */
interface Message {
  up?: boolean;
  armed?: string;
  place?: string;
  stands?: boolean;
}

/** A real backend in a process of its own, over one directory whatever happens to it. */
export class BackendProcess {
  readonly #root: string;
  readonly #port: number;
  #child?: ChildProcess;
  #output = '';
  /** What it said and nobody heard yet, in order. */
  #said: Message[] = [];
  #heard = () => {};

  private constructor(root: string, port: number) {
    this.#root = root;
    this.#port = port;
  }

  static async create(root: string): Promise<BackendProcess> {
    const port = await freePort();
    writeWorld(root, port);
    return new BackendProcess(root, port);
  }

  /** Answers when the template can be run. */
  async start(): Promise<void> {
    this.#said = [];
    this.#output = '';
    const child = spawn(
      process.execPath,
      [
        '--no-node-snapshot',
        '--require',
        require.resolve('@backstage/cli/config/nodeTransform.cjs'),
        join(__dirname, 'killable.ts'),
        '--config',
        join(this.#root, 'app-config.yaml'),
      ],
      {
        cwd: join(__dirname, '../..'),
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...process.env, NODE_ENV: 'production', NODE_OPTIONS: '' },
      },
    );
    this.#child = child;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', chunk => {
        this.#output = `${this.#output}${chunk}`.slice(-20_000);
      });
    }
    child.on('message', message => {
      this.#said.push(message as Message);
      this.#heard();
    });
    child.once('exit', () => {
      this.#child = undefined;
      this.#heard();
    });
    await this.#hear(({ up }) => up === true);
    await this.until('the template is in the catalog', async () => {
      const { status } = await this.call(
        'GET',
        '/catalog/entities/by-name/template/default/service',
      );
      return status === 200;
    });
  }

  /** As `kill -9` does. */
  async kill(): Promise<void> {
    const ended = this.#child && once(this.#child, 'exit');
    this.#child?.kill('SIGKILL');
    await ended;
  }

  /** The places that runs passed since the start. */
  get passed(): (string | undefined)[] {
    return this.#said.map(({ place }) => place);
  }

  /** Does something that stands still at a place, and answers when it does. */
  async standStill(place: string, begin: () => Promise<void>): Promise<void> {
    this.#child?.send({ arm: place });
    await this.#hear(({ armed }) => armed === place);
    await begin();
    await this.#hear(({ stands }) => stands === true);
  }

  async call(method: string, path: string, body?: object) {
    const response = await fetch(`http://127.0.0.1:${this.#port}/api${path}`, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
      },
      body: body && JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as any };
  }

  /** @throws with the log when that does not come, or the process ends. */
  async until(what: string, condition: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 120_000;
    while (!(await condition())) {
      if (!this.#child || Date.now() > deadline) {
        throw new Error(`Waited in vain until ${what}:\n${this.#output}`);
      }
      await delay(200);
    }
  }

  /** Waits for something that it says; everything up to that has been heard then. */
  async #hear(is: (message: Message) => boolean): Promise<void> {
    for (;;) {
      const index = this.#said.findIndex(is);
      if (index >= 0) {
        this.#said.splice(0, index + 1);
        return;
      }
      if (!this.#child) throw new Error(`The backend ended:\n${this.#output}`);
      await new Promise<void>(resolve => {
        this.#heard = resolve;
      });
    }
  }
}
