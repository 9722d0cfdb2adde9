import { fork, type ChildProcess } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  resolvePackagePath,
  type LoggerService,
} from '@backstage/backend-plugin-api';
import { describeProcess } from './processes';

/** What the proxy has seen of one instance. */
export interface TargetFigures {
  requests: number;
  /** Answers of 500 and above, and none at all. */
  failures: number;
  /** Under way now. */
  active: number;
}

/** File with the proxy's process id, in the directory of the services. */
export const PROXY_PID_FILE = 'proxy.pid';

/** Longest wait for an answer of the proxy that has nothing to wait for. */
const ANSWER_MS = 10_000;
const RESTART_MS = 250;

type Answer = Record<string, unknown> & { error?: string; code?: string };

/**
 * The proxy in front of the services: a process of its own, so that traffic
 * does not slow the backend, nor the backend's work the traffic. Started when
 * the first service needs it and again when it ends, with the routes it had; it
 * ends with the backend, whichever way that ends.
 */
export class ServiceProxy {
  readonly #pidFile: string;
  readonly #idleTimeoutMs: number;
  readonly #logger: LoggerService;
  readonly #routes = new Map<string, { port: number; targets: number[] }>();
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #child: Promise<ChildProcess> | undefined;
  #id = 0;
  #closing = false;

  constructor(options: {
    directory: string;
    /** Longest silence of a service while a request is under way, in milliseconds. */
    idleTimeoutMs: number;
    logger: LoggerService;
  }) {
    this.#pidFile = join(options.directory, PROXY_PID_FILE);
    this.#idleTimeoutMs = options.idleTimeoutMs;
    this.#logger = options.logger;
  }

  /** Whether the port is this service's and listened to. */
  has(name: string, port: number): boolean {
    return this.#routes.get(name)?.port === port;
  }

  /** Sends what comes to `port` to these ports of 127.0.0.1, in turns. @throws Error with code EADDRINUSE */
  async route(name: string, port: number, targets: number[]): Promise<void> {
    const before = this.#routes.get(name);
    this.#routes.set(name, { port, targets });
    try {
      await this.#ask({ op: 'route', name, port, targets }, ANSWER_MS);
    } catch (error) {
      if (before) this.#routes.set(name, before);
      else this.#routes.delete(name);
      throw error;
    }
  }

  /** Waits for what is under way at instances that are no targets any more. @returns how much was cut off */
  async drain(
    name: string,
    ports: number[],
    timeoutMs: number,
  ): Promise<number> {
    const { cut } = await this.#ask(
      { op: 'drain', name, ports, timeoutMs },
      timeoutMs + ANSWER_MS,
    );
    return Number(cut);
  }

  /** Stops listening, after what is under way has ended. */
  async remove(name: string, timeoutMs: number): Promise<void> {
    if (!this.#routes.delete(name)) return;
    await this.#ask({ op: 'remove', name, timeoutMs }, timeoutMs + ANSWER_MS);
  }

  async figures(name: string): Promise<Record<number, TargetFigures>> {
    const { figures } = await this.#ask({ op: 'figures', name }, ANSWER_MS);
    return figures as Record<number, TargetFigures>;
  }

  async shutdown(): Promise<void> {
    this.#closing = true;
    const child = await this.#child?.catch(() => undefined);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.disconnect();
    const timer = setTimeout(() => child.kill('SIGKILL'), 2_000);
    await ended;
    clearTimeout(timer);
  }

  async #ask(message: object, timeoutMs: number): Promise<Answer> {
    const child = await this.#running();
    this.#id += 1;
    const id = this.#id;
    const answer = await new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error('The proxy of the local runtime does not answer'));
      }, timeoutMs);
      this.#waiting.set(id, found => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(found);
      });
      child.send({ id, ...message, idleTimeoutMs: this.#idleTimeoutMs });
    });
    if (answer.error) {
      throw Object.assign(new Error(answer.error), { code: answer.code });
    }
    return answer;
  }

  #running(): Promise<ChildProcess> {
    if (this.#closing) {
      return Promise.reject(new Error('The backend is shutting down'));
    }
    this.#child ??= this.#start().catch(error => {
      this.#child = undefined;
      throw error;
    });
    return this.#child;
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(
      resolvePackagePath(
        '@rocket/plugin-provisioning-backend',
        'proxy/main.js',
      ),
      [],
      {
        // Nothing of the backend's: neither its loaders nor its secrets.
        execArgv: [],
        env: { PATH: process.env.PATH, NODE_ENV: 'production' },
        detached: true,
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      },
    );
    let errors = '';
    child.stderr!.on('data', chunk => {
      errors = `${errors}${chunk}`.slice(-2_000);
    });
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', code =>
        reject(
          new Error(
            `The proxy of the local runtime does not start (exit code ${code}): ${errors}`,
          ),
        ),
      );
      child.once('message', () => resolve());
    });
    if (child.pid) {
      writeFileSync(this.#pidFile, describeProcess(child.pid), { mode: 0o600 });
    }
    child.removeAllListeners('exit');
    child.removeAllListeners('error');
    child.on('error', error => this.#logger.error(`proxy: ${error}`));
    child.on('message', (answer: Answer & { id: number }) =>
      this.#waiting.get(answer.id)?.(answer),
    );
    child.once('exit', (code, signal) => {
      rmSync(this.#pidFile, { force: true });
      for (const tell of [...this.#waiting.values()]) {
        tell({ error: 'The proxy of the local runtime has ended' });
      }
      if (this.#closing) return;
      this.#logger.error(
        `the proxy of the local runtime ended (${
          signal ?? `exit code ${code}`
        }); starting it again. ${errors}`,
      );
      this.#child = undefined;
      this.#restore();
    });
    return child;
  }

  /** Brings a new proxy to where the last one was. */
  async #restore() {
    while (!this.#closing && this.#routes.size > 0) {
      try {
        for (const [name, { port, targets }] of this.#routes) {
          await this.#ask({ op: 'route', name, port, targets }, ANSWER_MS);
        }
        return;
      } catch (error) {
        this.#logger.error(`proxy: ${(error as Error).message}`);
        await delay(RESTART_MS);
      }
    }
  }
}
