import { execFileSync } from 'node:child_process';

export type Commit = { id: string; time: string };

/** A full commit id that is not all zeros, as CI systems write "none". */
export function isCommit(text: string | undefined): text is string {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text ?? '') && !/^0+$/.test(text!);
}

/** Output of a git command in the folder; throws what git said. */
export function git(folder: string, ...args: string[]): string {
  return execFileSync('git', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
    // A pipeline's checkout may belong to another user than the one of the job.
    env: { ...process.env, GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' },
  });
}

/** True if the folder's repository holds the commit. */
export function hasCommit(folder: string, id: string | undefined): id is string {
  if (!isCommit(id)) return false;
  try {
    git(folder, 'cat-file', '-e', `${id}^{commit}`);
    return true;
  } catch {
    return false;
  }
}

/** Commits after `base` up to `head`, newest first, with the time they were committed; only `head` if `base` is unknown. */
export function commitsSince(folder: string, base: string | undefined, head: string): Commit[] {
  const range = hasCommit(folder, base) ? [`${base}..${head}`, '--max-count=1000'] : ['--max-count=1', head];
  return git(folder, 'log', '--format=%H %cI', ...range)
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const [id = '', time = ''] = line.split(' ');
      return { id, time: new Date(time).toISOString() };
    });
}
