/** A RabbitMQ of the machine, for one run: loopback only, its data in a folder of its own, nothing left afterwards. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { assert } from './report';
import { freePort } from './running';

/** Debian's own start script changes the user and the folders; this one is what it calls. */
const PROGRAMS = '/usr/lib/rabbitmq/bin';

export class RabbitMq {
  readonly url: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #log = '';

  private constructor(folder: string, port: number, env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#port = port;
    this.#env = env;
    this.url = `amqp://guest:guest@127.0.0.1:${port}`;
  }

  /** Why there is none on this machine; undefined when there is one. */
  static missing(): string | undefined {
    return existsSync(path.join(PROGRAMS, 'rabbitmq-server'))
      ? undefined
      : `there is no RabbitMQ in ${PROGRAMS} (Debian: apt-get install rabbitmq-server)`;
  }

  static async start(): Promise<RabbitMq> {
    const folder = mkdtempSync(path.join(tmpdir(), 'rocket-rabbitmq-'));
    const [port, names, distribution] = [
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    writeFileSync(path.join(folder, 'plugins'), '[].');
    const broker = new RabbitMq(folder, port, {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      // For the cookie that its own commands know it by.
      HOME: folder,
      RABBITMQ_NODENAME: `rig${process.pid}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(distribution),
      RABBITMQ_MNESIA_BASE: path.join(folder, 'data'),
      RABBITMQ_LOG_BASE: path.join(folder, 'log'),
      RABBITMQ_ENABLED_PLUGINS_FILE: path.join(folder, 'plugins'),
      RABBITMQ_CONF_ENV_FILE: path.join(folder, 'none'),
      RABBITMQ_CONFIG_FILE: path.join(folder, 'none'),
      // A register of names of its own, so that it ends with this broker.
      ERL_EPMD_PORT: String(names),
      ERL_EPMD_ADDRESS: '127.0.0.1',
    });
    try {
      await broker.resume();
    } catch (error) {
      await broker.stop();
      throw error;
    }
    return broker;
  }

  /** Starts it, with the data that it had when it was ended. Resolves when it takes connections. */
  async resume(): Promise<void> {
    this.#child = spawn(path.join(PROGRAMS, 'rabbitmq-server'), {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', chunk => {
        this.#log = (this.#log + chunk).slice(-5_000);
      });
    await this.#untilOpen(this.#port);
  }

  /** Ends it; its data stays. */
  async pause(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise(resolve => child.once('close', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await ended;
    clearTimeout(timer);
  }

  async #untilOpen(port: number): Promise<void> {
    const end = Date.now() + 90_000;
    for (;;) {
      const open = await new Promise<boolean>(resolve => {
        const socket = connect(port, '127.0.0.1');
        const done = (result: boolean) => {
          socket.destroy();
          resolve(result);
        };
        socket.once('connect', () => done(true));
        socket.once('error', () => done(false));
      });
      if (open) return;
      assert(
        this.#child?.exitCode === null && Date.now() < end,
        `RabbitMQ does not start\n${this.#log}`,
      );
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  }

  async stop(): Promise<void> {
    await this.pause();
    spawnSync('epmd', ['-kill'], { env: this.#env });
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
