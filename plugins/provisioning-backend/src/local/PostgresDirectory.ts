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
import { promisify } from 'node:util';
import type { LoggerService } from '@backstage/backend-plugin-api';
import {
  binaries,
  findAccount,
  reasonOf,
  type Account,
} from './postgresPrograms';
import { commandLine, processIdentity } from './processes';

const execFileAsync = promisify(execFile);

/** What the embedded PostgreSQL keeps on disk, and its programs run on that. */
export class PostgresDirectory {
  #directory: string;
  readonly #logger: LoggerService;
  #account: Account = {};

  constructor(options: { directory: string; logger: LoggerService }) {
    this.#directory = options.directory;
    this.#logger = options.logger;
  }

  get data(): string {
    return join(this.#directory, 'data');
  }

  get startupLog(): string {
    return join(this.#directory, 'startup.log');
  }

  get initialized(): boolean {
    return existsSync(join(this.data, 'PG_VERSION'));
  }

  /** Makes the directory and finds out as whom the programs run. Before everything else. */
  async prepare(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const account = await findAccount(this.#directory);
    if (account.uid !== undefined) {
      await chown(this.#directory, account.uid, account.gid!);
    }
    await chmod(this.#directory, 0o700);
    this.#account = account;
    // A running server is recognized by this path, whichever way it was named.
    this.#directory = await realpath(this.#directory);
  }

  /** The end of the newest log. */
  async lastWords(): Promise<string> {
    const logs = join(this.data, 'log');
    let newest = { file: this.startupLog, time: 0 };
    for (const name of await readdir(logs).catch(() => [])) {
      const { mtimeMs } = await stat(join(logs, name));
      if (mtimeMs > newest.time) {
        newest = { file: join(logs, name), time: mtimeMs };
      }
    }
    const text = await readFile(newest.file, 'utf8').catch(() => '');
    return text.trim().split('\n').slice(-4).join(' | ');
  }

  async #pidFromFile(): Promise<number | undefined> {
    const file = await readFile(
      join(this.data, 'postmaster.pid'),
      'utf8',
    ).catch(() => '');
    const pid = Number.parseInt(file, 10);
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  }

  /** The pid of a server that runs on our data directory. */
  async runningPid(): Promise<number | undefined> {
    const pid = await this.#pidFromFile();
    if (!pid || !processIdentity(pid)) return undefined;
    return commandLine(pid).includes(this.data) ? pid : undefined;
  }

  /**
   * After a kill the process id in the file may belong to somebody else, and
   * PostgreSQL would refuse to start. If that is any PostgreSQL, it decides
   * itself: two servers on one directory would destroy it.
   */
  async removeStalePidFile() {
    const pid = await this.#pidFromFile();
    if (pid && processIdentity(pid) && commandLine(pid).includes('postgres')) {
      return;
    }
    await rm(join(this.data, 'postmaster.pid'), { force: true });
  }

  /** In a directory of its own first: a kill in the middle leaves nothing half-made. */
  async initialize(password: string) {
    const account = this.#account;
    this.#logger.info(`creating the PostgreSQL data directory ${this.data}`);
    const draft = join(this.#directory, 'data.new');
    const passwordFile = join(this.#directory, 'initdb.password');
    await rm(draft, { recursive: true, force: true });
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    try {
      if (account.uid !== undefined) {
        await chown(passwordFile, account.uid, account.gid!);
      }
      await this.run('initdb', [
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
      await rm(this.data, { recursive: true, force: true });
      await rename(draft, this.data);
    } catch (error) {
      throw new Error(
        `PostgreSQL cannot create its data directory: ${reasonOf(error)}`,
      );
    } finally {
      await rm(passwordFile, { force: true });
    }
  }

  /** Random, in a file that only we can read. */
  async password(): Promise<string> {
    const file = join(this.#directory, 'superuser.password');
    const known = await readFile(file, 'utf8').catch(() => '');
    if (known.trim()) return known.trim();
    const password = randomBytes(24).toString('base64url');
    await writeFile(`${file}.new`, password, { mode: 0o600 });
    await rename(`${file}.new`, file);
    return password;
  }

  /** Runs one of PostgreSQL's programs, two minutes at most. */
  async run(program: string, args: string[]) {
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
