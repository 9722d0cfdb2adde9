/**
 * A PostgreSQL of the system, started for one benchmark with settings that keep every promise (fsync, synchronous commit), and the
 * `pgbench` that came with it: both sides of the comparison use the same server.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../lib/console.mts';
import { freePort } from '../../lib/testPostgres.mts';

/** Durable defaults; only the two sizes are those of a server rather than of a laptop. */
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'max_connections=100',
  'shared_buffers=2GB',
  'max_wal_size=4GB',
  'fsync=on',
  'synchronous_commit=on',
  'full_page_writes=on',
];

/** Folder with initdb, postgres and pgbench. @throws Failure when the machine has none. */
function findPrograms(): string {
  const debian = '/usr/lib/postgresql';
  const candidates = [
    ...(existsSync(debian)
      ? readdirSync(debian)
          .sort((a, b) => Number(b) - Number(a))
          .map(version => join(debian, version, 'bin'))
      : []),
    ...(process.env.PATH ?? '').split(':'),
  ];
  const found = candidates.find(folder =>
    ['initdb', 'postgres', 'pgbench'].every(name =>
      existsSync(join(folder, name)),
    ),
  );
  if (!found) {
    throw new Failure(
      'The benchmark compares with pgbench, and this machine has no PostgreSQL with pgbench.',
      'On Debian: apt-get install postgresql',
    );
  }
  return found;
}

/** Who PostgreSQL runs as: it refuses root. */
function owner(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) =>
    Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export class BenchPostgres {
  readonly programs = findPrograms();
  readonly #folder = mkdtempSync(join(tmpdir(), 'rocket-bench-ledger-'));
  readonly #owner = owner();
  #server: ChildProcess | undefined;
  port = 0;

  get url(): string {
    return `postgresql://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** Process of the server, the parent of all its back ends. */
  get pid(): number {
    return this.#server?.pid ?? NaN;
  }

  get version(): string {
    return execFileSync(join(this.programs, 'postgres'), ['--version'], {
      encoding: 'utf8',
    }).trim();
  }

  async initialise(): Promise<void> {
    chmodSync(this.#folder, 0o777);
    this.port = await freePort();
    this.#run('initdb', [
      '-D',
      join(this.#folder, 'data'),
      '-U',
      'postgres',
      '-A',
      'trust',
      '--encoding=UTF8',
      '--locale=C',
    ]);
    await this.start();
  }

  /** Starts the server, after a kill as well: it then replays its log first. */
  async start(): Promise<void> {
    const deadline = Date.now() + 120_000;
    for (;;) {
      const log = openSync(join(this.#folder, 'log'), 'a');
      const server = spawn(
        join(this.programs, 'postgres'),
        [
          '-D',
          join(this.#folder, 'data'),
          '-p',
          String(this.port),
          '-k',
          this.#folder,
          ...SETTINGS.flatMap(setting => ['-c', setting]),
        ],
        { ...this.#owner, stdio: ['ignore', log, log] },
      );
      const ended = new Promise<'ended'>(resolve =>
        server.once('exit', () => resolve('ended')),
      );
      this.#server = server;
      let over = false;
      ended.then(() => (over = true));
      while (!over && Date.now() < deadline) {
        if (this.#isReady()) return;
        await new Promise(resolve => setTimeout(resolve, 100));
      }
      // Back ends of a killed server may hold its shared memory for a moment.
      if (Date.now() >= deadline)
        throw new Failure(
          'PostgreSQL did not start.',
          `Its log: ${this.#folder}/log`,
        );
      await new Promise(resolve => setTimeout(resolve, 300));
    }
  }

  /** As a power cut of the database's process: no shutdown, no checkpoint. */
  kill(): void {
    this.#server?.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server && server.exitCode === null && server.signalCode === null) {
      const ended = new Promise(resolve => server.once('exit', resolve));
      server.kill('SIGINT');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Prepares the standard TPC-B tables of pgbench in a database of their own. */
  prepareTpcb(scale: number): void {
    this.#run('createdb', [...this.#connection(), 'tpcb']);
    this.#run('pgbench', [
      ...this.#connection(),
      '-i',
      '-q',
      '-s',
      String(scale),
      'tpcb',
    ]);
  }

  /** Transactions per second of pgbench's TPC-B-like script, prepared statements. Asynchronous, so that nothing of ours is held up. */
  async tpcb(seconds: number, clients: number): Promise<number> {
    const output = await new Promise<string>((resolve, reject) => {
      const child = spawn(
        join(this.programs, 'pgbench'),
        [
          ...this.#connection(),
          '-M',
          'prepared',
          '-n',
          '-c',
          String(clients),
          '-j',
          '2',
          '-T',
          String(seconds),
          'tpcb',
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let text = '';
      child.stdout.on('data', part => (text += part));
      child.once('error', reject);
      child.once('close', code =>
        code === 0
          ? resolve(text)
          : reject(new Failure(`pgbench ended with ${code}.`)),
      );
    });
    const found = /tps = ([\d.]+) \(without initial/.exec(output);
    if (!found)
      throw new Failure('pgbench printed no tps.', ...output.split('\n'));
    return Number(found[1]);
  }

  #connection(): string[] {
    return ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres'];
  }

  #isReady(): boolean {
    try {
      this.#run('psql', [
        ...this.#connection(),
        '-qAtc',
        'SELECT 1',
        'postgres',
      ]);
      return true;
    } catch {
      return false;
    }
  }

  #run(program: string, args: string[]): string {
    return execFileSync(join(this.programs, program), args, {
      ...this.#owner,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PGCONNECT_TIMEOUT: '2' },
    });
  }
}
