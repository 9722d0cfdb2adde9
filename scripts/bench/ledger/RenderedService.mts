/** A golden service as an engineer gets it: rendered from its template, installed, migrated and started as its `rocket.yaml` says. */
import {
  execFileSync,
  spawn,
  spawnSync,
  type ChildProcess,
} from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { Failure } from '../../lib/console.mts';
import { ROOT } from '../../lib/paths.mts';
import { NODE_TRANSFORM, tail } from '../../lib/processes.mts';
import { freePort } from '../../lib/testPostgres.mts';
import type { BenchPostgres } from './postgres.mts';

type Manifest = {
  spec: { install: string[]; migrate: string[]; start: string[] };
};

export class RenderedService {
  readonly #template: string;
  readonly #postgres: BenchPostgres;
  readonly #settings: Record<string, string>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'rocket-bench-service-'));
  #manifest!: Manifest;
  #child: ChildProcess | undefined;
  #env: NodeJS.ProcessEnv = {};
  url = '';

  /** @param settings - environment of the service beside the database and the port */
  constructor(
    template: string,
    postgres: BenchPostgres,
    settings: Record<string, string> = {},
  ) {
    this.#template = template;
    this.#postgres = postgres;
    this.#settings = settings;
  }

  /** Renders, installs what production installs, makes the database with its two roles, migrates. */
  async prepare(): Promise<void> {
    execFileSync(
      process.execPath,
      [
        ...NODE_TRANSFORM,
        join(ROOT, 'templates/rig/render.ts'),
        '--template',
        this.#template,
        '--out',
        this.#folder,
      ],
      { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] },
    );
    this.#manifest = parse(
      readFileSync(join(this.#folder, 'rocket.yaml'), 'utf8'),
    ) as Manifest;
    const database = this.#template.replaceAll('-', '_');
    const sql = [
      `CREATE ROLE ${database}_owner LOGIN`,
      `CREATE ROLE ${database}_app LOGIN`,
      `CREATE DATABASE ${database} OWNER ${database}_owner`,
    ];
    for (const statement of sql) {
      execFileSync(join(this.#postgres.programs, 'psql'), [
        this.#postgres.url,
        '-qc',
        statement,
      ]);
    }
    const urlOf = (role: string) =>
      `postgresql://${database}_${role}@127.0.0.1:${
        this.#postgres.port
      }/${database}`;
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    const inherited = Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) =>
          !/^(DATABASE_|MIGRATION_|TEST_|NEW_RELIC_|ROCKET_|BACKSTAGE_|NODE_OPTIONS$)/.test(
            name,
          ),
      ),
    );
    this.#env = {
      ...inherited,
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: String(port),
      DATABASE_URL: urlOf('app'),
      MIGRATION_DATABASE_URL: urlOf('owner'),
      LOG_LEVEL: 'warn',
      NEW_RELIC_ENABLED: 'false',
      ...this.#settings,
    };
    this.#run(this.#manifest.spec.install);
    this.#run(this.#manifest.spec.migrate);
  }

  get logFile(): string {
    return join(this.#folder, 'bench.log');
  }

  /** Starts the service and waits until it is ready. */
  async start(): Promise<void> {
    const [command, ...args] = this.#manifest.spec.start;
    const log = openSync(this.logFile, 'a');
    const child = spawn(command, args, {
      cwd: this.#folder,
      env: this.#env,
      stdio: ['ignore', log, log],
    });
    this.#child = child;
    await this.untilReady();
  }

  /** Waits until `/readyz` says yes, at most a minute. */
  async untilReady(): Promise<void> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const ready = await fetch(`${this.url}/readyz`, {
        signal: AbortSignal.timeout(2000),
      }).then(
        answer => answer.ok,
        () => false,
      );
      if (ready) return;
      if (this.#child?.exitCode !== null || Date.now() > deadline) {
        throw new Failure(
          `${this.#template} did not become ready.`,
          ...tail(this.logFile, 20),
        );
      }
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }

  /** CPU seconds that the service's process has used so far (Linux; NaN elsewhere). */
  cpuSeconds(): number {
    try {
      const fields = readFileSync(`/proc/${this.#child?.pid}/stat`, 'utf8')
        .split(') ')[1]
        .split(' ');
      return (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {
      return NaN;
    }
  }

  /** Runs one of the service's own npm commands; its exit code and what it printed. */
  command(name: string, ...args: string[]): { code: number; output: string } {
    const result = spawnSync('npm', ['run', '--silent', name, '--', ...args], {
      cwd: this.#folder,
      env: { ...this.#env, LOG_LEVEL: 'silent' },
      encoding: 'utf8',
    });
    return { code: result.status ?? 1, output: result.stdout + result.stderr };
  }

  /** Rows of one of its tables, counted in the database itself. */
  count(table: string): number {
    const url = this.#env.MIGRATION_DATABASE_URL ?? '';
    return Number(
      execFileSync(
        join(this.#postgres.programs, 'psql'),
        [url, '-qAtc', `SELECT count(*) FROM ${table}`],
        { encoding: 'utf8' },
      ),
    );
  }

  /**
   * Waits until every event was told and every transaction is sealed, at most three minutes. A closed loop outruns both on purpose; what
   * is checked afterwards is that they catch up and that nothing is missing.
   *
   * @returns seconds that it took
   */
  async caughtUp(): Promise<number> {
    const started = performance.now();
    const deadline = started + 180_000;
    for (;;) {
      const text = await fetch(`${this.url}/metrics`).then(
        answer => answer.text(),
        () => '',
      );
      const gauge = (name: string) =>
        Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
      const behind = Math.max(
        gauge('outbox_oldest_age_seconds'),
        gauge('audit_seal_lag_seconds'),
      );
      if ((text !== '' && behind < 1) || performance.now() > deadline)
        return (performance.now() - started) / 1000;
      await new Promise(resolve => setTimeout(resolve, 250));
    }
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>(resolve =>
      child.once('exit', () => resolve()),
    );
    child.kill(signal);
    await ended;
  }

  #run([command, ...args]: string[]): void {
    execFileSync(command, args, {
      cwd: this.#folder,
      env: this.#env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
}
