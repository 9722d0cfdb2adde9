import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RuntimeChange } from '@rocket/plugin-provisioning-node';
import { describeProcess, endGroup } from './processes';
import type { LogSink } from './ServiceLogFile';

export interface SupervisionPolicy {
  /** Time a start has until the ready path answers 2xx, in milliseconds. */
  readyTimeoutMs: number;
  /** Time between two looks at the ready path of a running service. */
  healthIntervalMs: number;
  /** Restarts in a row before the service counts as failed. */
  maxRestarts: number;
  /** Pause before the first restart; doubled for each further one. */
  restartDelayMs: number;
  maxRestartDelayMs: number;
  /** A run this long makes earlier crashes forgotten. */
  stableAfterMs: number;
  /** Time between SIGTERM and SIGKILL. */
  stopGraceMs: number;
}

export interface ProcessOptions {
  name: string;
  commit: string;
  argv: string[];
  cwd: string;
  env: Record<string, string>;
  readyUrl: string;
  pidFile: string;
  log: LogSink;
  policy: SupervisionPolicy;
  onChange(change: RuntimeChange): void;
}

const PROBE_TIMEOUT_MS = 2_000;
const FAILED_PROBES = 3;

/** One process of one version of a service: started, watched, started again when it crashes, ended as a group. */
export class SupervisedProcess {
  readonly commit: string;
  readonly #options: ProcessOptions;
  readonly #ended = new AbortController();
  #child: ChildProcess | undefined;
  #exit: Promise<string> | undefined;
  #lastLines: string[] = [];
  #watching: Promise<void> | undefined;
  #failed = false;

  constructor(options: ProcessOptions) {
    this.commit = options.commit;
    this.#options = options;
  }

  /** False once it was stopped or given up. */
  get active(): boolean {
    return !this.#failed && !this.#ended.signal.aborted;
  }

  /** Resolves when the service is ready; rejects, with nothing left running, when it does not get there. */
  async start(signal: AbortSignal): Promise<void> {
    try {
      this.#spawn();
      await this.#untilReady(signal);
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#endProcess();
    await this.#watching;
  }

  async #endProcess() {
    const pid = this.#child?.pid;
    if (!pid) return;
    await endGroup(pid, this.#options.policy.stopGraceMs);
    rmSync(this.#options.pidFile, { force: true });
  }

  #spawn() {
    const { argv, cwd, env, log, pidFile, commit } = this.#options;
    log.write('rocket', `starting ${commit.slice(0, 7)}: ${argv.join(' ')}`);
    this.#lastLines = [];
    const child = spawn(argv[0], argv.slice(1), {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (child.pid) {
      mkdirSync(dirname(pidFile), { recursive: true, mode: 0o700 });
      writeFileSync(pidFile, describeProcess(child.pid), { mode: 0o600 });
    }
    const remember = (line: string) => {
      if (line.trim()) this.#lastLines.push(line.slice(0, 300));
      if (this.#lastLines.length > 4) this.#lastLines.shift();
    };
    log.attach('stdout', child.stdout!);
    log.attach('stderr', child.stderr!, remember);
    this.#child = child;
    this.#exit = new Promise(resolve => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        resolve(
          error.code === 'ENOENT'
            ? `could not be started: there is no program '${argv[0]}' on the PATH`
            : `could not be started: ${error.message}`,
        ),
      );
      // `close` comes after the last output; a grandchild that keeps it open must not hold this up.
      child.once('exit', (code, sig) => {
        const how = sig
          ? `was ended by ${sig}`
          : `ended with exit code ${code}`;
        const timer = setTimeout(() => resolve(how), 500);
        child.once('close', () => {
          clearTimeout(timer);
          resolve(how);
        });
      });
    });
  }

  async #untilReady(signal: AbortSignal): Promise<void> {
    const { policy, readyUrl } = this.#options;
    const deadline = Date.now() + policy.readyTimeoutMs;
    let exit: string | undefined;
    this.#exit!.then(how => {
      exit = how;
    });
    let answer = 'nothing answered';
    while (Date.now() < deadline) {
      signal.throwIfAborted();
      this.#ended.signal.throwIfAborted();
      if (exit) throw new Error(`The service ${exit}.${this.#tail()}`);
      answer = await probe(readyUrl);
      // The answer must be this process's own.
      if (answer === 'ready' && !exit) return;
      await delay(150);
    }
    throw new Error(
      `The service was not ready after ${
        policy.readyTimeoutMs / 1000
      } seconds: GET ${new URL(readyUrl).pathname}: ${answer}.${this.#tail()}`,
    );
  }

  #tail(): string {
    return this.#lastLines.length > 0
      ? ` Its last lines: ${this.#options.log.mask(
          this.#lastLines.join(' | '),
        )}`
      : '';
  }

  /** Runs until the service is stopped or given up. */
  async #watch(): Promise<void> {
    const { policy, log, name, onChange } = this.#options;
    const stopped = this.#ended.signal;
    let crashes = 0;
    let since = Date.now();
    while (!stopped.aborted) {
      const how = await this.#watchOne();
      if (stopped.aborted) return;
      if (Date.now() - since > policy.stableAfterMs) crashes = 0;
      let reason = `The service ${how}.${this.#tail()}`;
      log.write('rocket', reason);
      // Children it left behind would hold the port.
      await this.#endProcess();
      let ready = false;
      while (!ready && !stopped.aborted) {
        crashes += 1;
        if (crashes > policy.maxRestarts) {
          this.#failed = true;
          const message = `Given up after ${policy.maxRestarts} restarts. ${reason} Mend it and deploy again, or start it again.`;
          log.write('rocket', message);
          onChange({ name, state: 'failed', message });
          return;
        }
        const pause = Math.min(
          policy.maxRestartDelayMs,
          policy.restartDelayMs * 2 ** (crashes - 1),
        );
        onChange({
          name,
          state: 'restarting',
          message: `${reason} Restart ${crashes} of ${policy.maxRestarts}.`,
          restarted: true,
        });
        await delay(pause, undefined, { signal: stopped }).catch(() => {});
        if (stopped.aborted) return;
        try {
          this.#spawn();
          await this.#untilReady(stopped);
          ready = true;
        } catch (error) {
          await this.#endProcess();
          if (stopped.aborted) return;
          reason = (error as Error).message;
          log.write('rocket', reason);
        }
      }
      since = Date.now();
      if (!stopped.aborted) onChange({ name, state: 'healthy' });
    }
  }

  /** Watches one process; answers how it ended. */
  async #watchOne(): Promise<string> {
    const { policy, readyUrl, name, log, onChange } = this.#options;
    const exit = this.#exit!;
    let over: string | undefined;
    exit.then(how => {
      over = how;
    });
    let bad = 0;
    while (!this.#ended.signal.aborted) {
      await Promise.race([
        exit,
        delay(policy.healthIntervalMs, undefined, {
          signal: this.#ended.signal,
        }).catch(() => {}),
      ]);
      if (over) return over;
      if (this.#ended.signal.aborted) break;
      const answer = await probe(readyUrl);
      if (over) return over;
      if (answer === 'ready') {
        if (bad >= FAILED_PROBES) {
          log.write('rocket', 'ready again');
          onChange({ name, state: 'healthy' });
        }
        bad = 0;
      } else {
        bad += 1;
        if (bad === FAILED_PROBES) {
          const message = `The service runs but is not ready: GET ${
            new URL(readyUrl).pathname
          }: ${answer}.`;
          log.write('rocket', message);
          onChange({ name, state: 'unhealthy', message });
        }
      }
    }
    return 'was stopped';
  }
}

/** `ready`, or what a GET got instead. */
export async function probe(url: string): Promise<string> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
      redirect: 'manual',
      headers: { connection: 'close' },
    });
    await response.body?.cancel();
    return response.ok ? 'ready' : `answered ${response.status}`;
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') {
      return `did not answer within ${PROBE_TIMEOUT_MS / 1000} seconds`;
    }
    return 'nothing answered';
  }
}
