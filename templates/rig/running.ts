/** A rendered service as a process, and the conformance suite on it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { assert, equal } from './report';
import { TEMPLATES } from './templates';

/** Settings of whoever runs the rig that would change the service under test. */
const SERVICE_VARIABLES =
  /^((TEST_|MIGRATION_)?DATABASE_.*|NODE_OPTIONS|PORT|HOST|LOG_LEVEL|WORKERS|EVENT_.*|RABBITMQ_.*|AUTH_.*|TOKEN.*|RELAY|NEW_RELIC_.*|ROCKET_.*|BACKSTAGE_.*)$/;

/** All of the machine's settings (proxies, certificates, registries), none of a service. */
export function environment(): NodeJS.ProcessEnv {
  return {
    // Locked versions: what npm's cache knows of them is true, and need not be asked for once more.
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    ...Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) => !SERVICE_VARIABLES.test(name),
      ),
    ),
    FORCE_COLOR: '0',
  } as NodeJS.ProcessEnv;
}

/** A port of the loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** What `npm start` runs, without npm in between, so that the signal and the exit code are the service's own. */
export class RunningService {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly url: string;
  #log = '';

  private constructor(root: string, port: number, env: NodeJS.ProcessEnv) {
    const { scripts } = JSON.parse(
      readFileSync(path.join(root, 'package.json'), 'utf8'),
    );
    equal(scripts.start, 'node scripts/start.ts', 'npm start');
    this.url = `http://127.0.0.1:${port}`;
    this.#child = spawn(process.execPath, ['scripts/start.ts'], {
      cwd: root,
      env: { ...environment(), PORT: String(port), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', chunk => {
        this.#log = (this.#log + chunk).slice(-20_000);
      });
    this.#ended = new Promise(resolve => this.#child.once('close', resolve));
  }

  static async start(
    root: string,
    env: NodeJS.ProcessEnv = {},
  ): Promise<RunningService> {
    return new RunningService(root, await freePort(), env);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get log(): string {
    return this.#log.slice(-3_000);
  }

  get #gone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async untilReady(): Promise<void> {
    const end = Date.now() + 120_000;
    for (;;) {
      const status = await fetch(`${this.url}/readyz`, {
        signal: AbortSignal.timeout(2_000),
      }).then(
        response => response.status,
        () => 0,
      );
      if (status === 200) return;
      assert(!this.#gone, `it ended with ${this.#child.exitCode}\n${this.log}`);
      assert(
        Date.now() < end,
        `it is not ready after two minutes\n${this.log}`,
      );
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  }

  /** SIGTERM, unless somebody has sent it already; throws when the end is not 0 within half a minute. */
  async drained(): Promise<void> {
    if (!this.#gone) this.#child.kill('SIGTERM');
    const late = new Promise<string>(resolve =>
      setTimeout(() => resolve('no end'), 30_000).unref(),
    );
    const code = await Promise.race([this.#ended, late]);
    assert(
      code === 0,
      `it ended with ${code ?? this.#child.signalCode}\n${this.log}`,
    );
  }

  /** However it is; nothing of it is left afterwards. */
  async stop(): Promise<void> {
    if (this.#gone) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 15_000);
    await this.#ended;
    clearTimeout(timer);
  }
}

/**
 * Runs the suite with the contracts of a folder; SIGTERM, and what the service does then, is its last check. Throws with what was wrong; resolves to the lines that say
 * how much was tried.
 */
export async function conformance(
  service: string,
  running: RunningService,
  contracts: string,
  env: NodeJS.ProcessEnv = {},
): Promise<{ summary: string[]; notTried: string[] }> {
  const child = spawn(
    process.execPath,
    [
      path.join(TEMPLATES, 'conformance/run.ts'),
      ...['--service', service, '--url', running.url],
      ...['--pid', String(running.pid)],
      ...['--contracts', contracts],
    ],
    { env: { ...environment(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  const take = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const timer = setTimeout(() => child.kill('SIGKILL'), 600_000);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', status => resolve(status ?? 1));
  });
  clearTimeout(timer);
  const lines = output.split('\n');
  const wrong = lines.filter(line => /^\s*✕ /.test(line));
  assert(
    code === 0,
    `it ended with ${code}\n${wrong.join('\n')}\n${output.slice(-8_000)}`,
  );
  return {
    summary: lines.filter(line => /^(Tests|Test Suites): /.test(line)),
    notTried: lines.filter(line => line.startsWith('Not tried: ')),
  };
}
