import { execFileSync } from 'node:child_process';
import { oneLine } from './text';
import type { CommitReport } from './types';

/** As many commits as one push may name. */
export const MAX_COMMITS = 500;

/** A full commit id that is not all zeros, as CI systems write "none". */
export function isCommit(text: string | undefined): text is string {
  return (
    /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text ?? '') && !/^0+$/.test(text!)
  );
}

/** The Git repository around a folder. Nothing here throws when there is none: it says so with `undefined` or an empty list. */
export class Git {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Output of a git command, trimmed; undefined when git says no or is not there. */
  #git(...args: string[]): string | undefined {
    try {
      return execFileSync('git', args, {
        cwd: this.#folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        maxBuffer: 64 * 1024 * 1024,
        timeout: 30_000,
        env: {
          ...process.env,
          // A pipeline's checkout may belong to another user than the one of the job.
          GIT_CONFIG_COUNT: '1',
          GIT_CONFIG_KEY_0: 'safe.directory',
          GIT_CONFIG_VALUE_0: '*',
          GIT_TERMINAL_PROMPT: '0',
          GIT_OPTIONAL_LOCKS: '0',
        },
      }).trim();
    } catch {
      return undefined;
    }
  }

  /** The repository's top folder. */
  root(): string | undefined {
    return this.#git('rev-parse', '--show-toplevel');
  }

  head(): string | undefined {
    return this.#git('rev-parse', '--verify', '--quiet', 'HEAD');
  }

  branch(): string | undefined {
    return this.#git('symbolic-ref', '--short', '--quiet', 'HEAD');
  }

  /** Address of `origin`, without credentials. */
  remote(): string | undefined {
    const address = this.#git('config', '--get', 'remote.origin.url');
    return address && withoutCredentials(address);
  }

  has(commit: string | undefined): commit is string {
    return (
      isCommit(commit) &&
      this.#git('cat-file', '-e', `${commit}^{commit}`) !== undefined
    );
  }

  /** Ancestors of the commit, the newest first, as far as the clone reaches. */
  ancestors(commit: string): string[] {
    if (!isCommit(commit)) return [];
    const list = this.#git(
      'rev-list',
      `--max-count=${MAX_COMMITS + 1}`,
      commit,
    );
    return (list ?? '').split('\n').filter(id => id && id !== commit);
  }

  /** Commits up to `head` that `base` does not have, the newest first; only `head` when `base` is not known here. */
  commits(base: string | undefined, head: string): CommitReport[] {
    if (!this.has(head)) return [];
    const range = this.has(base)
      ? [`${base}..${head}`, `--max-count=${MAX_COMMITS}`]
      : ['--max-count=1', head];
    // NUL between fields, so that no subject can pretend to be one.
    const log = this.#git('log', '--format=%H%x00%cI%x00%an%x00%s', ...range);
    return (log ?? '')
      .split('\n')
      .filter(Boolean)
      .map(line => {
        const [sha, time, author, subject] = line.split('\0');
        const said = oneLine(subject ?? '', 200);
        const by = oneLine(author ?? '', 100);
        return {
          sha,
          time: new Date(time).toISOString(),
          ...(said ? { subject: said } : {}),
          ...(by ? { author: by } : {}),
        };
      });
  }

  /** When it was committed, ISO 8601. */
  time(commit: string): string | undefined {
    if (!isCommit(commit)) return undefined;
    const time = this.#git('log', '-1', '--format=%cI', commit);
    return time ? new Date(time).toISOString() : undefined;
  }
}

/** An address as it may be shown and stored: without user and password. Other texts come back as they are. */
export function withoutCredentials(address: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) return address;
  try {
    const url = new URL(address);
    url.username = '';
    url.password = '';
    return url.href;
  } catch {
    return address;
  }
}
