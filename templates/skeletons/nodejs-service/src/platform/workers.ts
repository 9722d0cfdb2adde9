import type { FastifyBaseLogger } from 'fastify';
import pg from 'pg';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Config } from './config.ts';
import type { Command, ServiceParts, Worker } from './service.ts';

/** The first half of every advisory lock that a worker takes; the second is made of its name. */
const LOCK_SPACE = 0x526f636b;
/** After a failed run the next one waits longer, up to this. */
const LONGEST_WAIT = 30_000;

/**
 * The connection that holds the locks. Who has lost it has to stop. A connection answers one question at a time, so `ask` lets the
 * workers that share it wait for each other.
 */
type Session = { ask: Ask; held: Set<string>; lost: AbortSignal; end(): void };
type Ask = <Row extends pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<pg.QueryResult<Row>>;

type Options = { config: Config; logger: FastifyBaseLogger; registry: Registry };

/**
 * Runs the workers of one process. Each takes an advisory lock in the database, so that one replica at a time does its work; the
 * others take over when that one ends or loses its connection. The locks are held by a connection of their own, which has to reach
 * PostgreSQL directly or through a pooler in session mode.
 */
export class Workers {
  readonly #workers: readonly Worker[];
  readonly #options: Options;
  readonly #stopping = new AbortController();
  readonly #loops: Promise<void>[] = [];
  readonly #leader: Gauge;
  readonly #success: Gauge;
  readonly #duration: Histogram;
  readonly #failures: Counter;
  #session: Promise<Session> | undefined;

  constructor(workers: readonly Worker[], options: Options) {
    this.#workers = workers;
    this.#options = options;
    const labelNames = ['worker'];
    const registers = [options.registry];
    this.#leader = new Gauge({
      name: 'worker_leader',
      help: '1 when this process does the work, 0 when another one does.',
      labelNames,
      registers,
    });
    this.#success = new Gauge({
      name: 'worker_last_success_timestamp_seconds',
      help: 'When the last run of the worker succeeded in this process.',
      labelNames,
      registers,
    });
    this.#duration = new Histogram({
      name: 'worker_run_duration_seconds',
      help: 'Time of a run of the worker.',
      labelNames,
      buckets: [0.005, 0.05, 0.25, 1, 5, 30, 120],
      registers,
    });
    this.#failures = new Counter({
      name: 'worker_failures_total',
      help: 'Runs of the worker that failed.',
      labelNames,
      registers,
    });
  }

  start(): void {
    for (const worker of this.#workers) {
      this.#leader.set({ worker: worker.name }, 0);
      this.#loops.push(this.#loop(worker));
    }
  }

  /** Tells the runs to stop and waits for them, then gives the locks back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
    await this.#disconnect();
  }

  /**
   * Runs one worker until there is nothing left to do; for commands. Resolves to false when another process does the work.
   */
  async runOnce(name: string): Promise<boolean> {
    const worker = this.#workers.find(candidate => candidate.name === name);
    if (worker === undefined) throw new Error(`there is no worker ${name}`);
    try {
      do {
        if (!(await this.#lead(worker))) return false;
      } while (await this.#run(worker));
      return true;
    } finally {
      await this.#disconnect();
    }
  }

  async #loop(worker: Worker): Promise<void> {
    const { logger } = this.#options;
    let failed = 0;
    while (!this.#stopping.signal.aborted) {
      let wait = worker.interval;
      try {
        if ((await this.#lead(worker)) && (await this.#run(worker))) wait = 0;
        failed = 0;
      } catch (error) {
        failed += 1;
        this.#failures.inc({ worker: worker.name });
        logger.warn({ err: error, worker: worker.name, failed }, 'a run of the worker failed');
        wait = Math.max(worker.interval, Math.min(LONGEST_WAIT, 250 * 2 ** Math.min(failed, 10)));
      }
      await pause(wait, this.#stopping.signal);
    }
  }

  async #run(worker: Worker): Promise<boolean> {
    const started = performance.now();
    const { lost } = await this.#connect();
    const signal = AbortSignal.any([this.#stopping.signal, lost]);
    try {
      const more = await worker.run(signal);
      this.#success.set({ worker: worker.name }, Date.now() / 1_000);
      return more === true && !signal.aborted;
    } finally {
      this.#duration.observe({ worker: worker.name }, (performance.now() - started) / 1_000);
    }
  }

  /** Whether this process does the work of this worker. Proves that the connection, and with it the lock, is still there. */
  async #lead(worker: Worker): Promise<boolean> {
    const session = await this.#connect();
    try {
      if (session.held.has(worker.name)) {
        await session.ask('SELECT 1');
        return true;
      }
      const { rows } = await session.ask<{ held: boolean }>('SELECT pg_try_advisory_lock($1, hashtext($2)) AS held', [
        LOCK_SPACE,
        worker.name,
      ]);
      const held = rows[0]?.held === true;
      if (held) session.held.add(worker.name);
      this.#leader.set({ worker: worker.name }, held ? 1 : 0);
      return held;
    } catch (error) {
      session.end();
      throw error;
    }
  }

  async #connect(): Promise<Session> {
    this.#session ??= this.#open();
    return this.#session;
  }

  async #open(): Promise<Session> {
    const { config, logger } = this.#options;
    const client = new pg.Client({
      connectionString: config.databaseUrl,
      application_name: `${config.serviceName} workers`,
      connectionTimeoutMillis: config.connectTimeout,
      query_timeout: config.statementTimeout,
      keepAlive: true,
    });
    let ended = false;
    const lost = new AbortController();
    let turn: Promise<unknown> = Promise.resolve();
    const session: Session = {
      ask: (text, values) => {
        const answer = turn.then(() => client.query(text, values));
        turn = answer.catch(() => {});
        return answer as never;
      },
      held: new Set(),
      lost: lost.signal,
      end: () => {
        if (ended) return;
        ended = true;
        this.#session = undefined;
        for (const worker of this.#workers) this.#leader.set({ worker: worker.name }, 0);
        lost.abort();
        client.end().catch(() => {});
      },
    };
    client.on('error', error => {
      if (!ended) logger.warn({ err: error }, 'the workers lost their connection');
      session.end();
    });
    client.on('end', session.end);
    try {
      await client.connect();
    } catch (error) {
      session.end();
      throw error;
    }
    return session;
  }

  async #disconnect(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    session?.end();
  }
}

/** Each worker as a command that does what there is to do now. */
export function workerCommands(runtime: Options & { workers: readonly Worker[] }): Record<string, Command> {
  const command = (name: string): Command => ({
    summary: `what the worker ${name} does, once`,
    async run(_args, out) {
      const done = await new Workers(runtime.workers, { ...runtime, registry: new Registry() }).runOnce(name);
      out(done ? `${name}: done` : `${name}: another process does it`);
      return 0;
    },
  });
  return Object.fromEntries(runtime.workers.map(({ name }) => [name, command(name)]));
}

/**
 * All that `npm run <name>` does: the workers, once, and the commands of the service. A command that is named like a worker of the
 * service does that work and tells more of it; one that is named like a worker of the platform would hide it, and is refused.
 */
export function allCommands(
  runtime: Options & { workers: readonly Worker[]; parts: ServiceParts },
): Record<string, Command> {
  const { workers = [], commands = {} } = runtime.parts;
  const hidden = runtime.workers.find(worker => !workers.includes(worker) && Object.hasOwn(commands, worker.name));
  if (hidden) throw new Error(`the platform has a worker ${hidden.name}: give the command of the service another name`);
  return { ...workerCommands(runtime), ...commands };
}

/** Resolves after this many milliseconds, or as soon as the signal is aborted. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
