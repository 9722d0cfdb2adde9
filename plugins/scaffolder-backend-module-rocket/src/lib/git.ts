import { execFile } from 'node:child_process';
import { ConflictError } from '@backstage/errors';

const COMMAND_TIMEOUT_MS = 120_000;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

export interface GitAuthor {
  name: string;
  email: string;
}

interface GitOptions {
  /** A directory of its own for Git's data, so that a `.git` in the files is never obeyed. */
  gitDir: string;
  /** The files to publish. */
  workTree: string;
  signal?: AbortSignal;
}

/**
 * Commits a directory and pushes it over HTTP with the `git` program. Configuration of the
 * machine or the files is not read, hooks do not exist, and the token travels in the
 * environment of one process: not in arguments, files, URLs or messages.
 */
export class GitPublisher {
  readonly #options: GitOptions;

  constructor(options: GitOptions) {
    this.#options = options;
  }

  /** Same files, author, message and time: same commit. */
  async commit(options: {
    author: GitAuthor;
    message: string;
    /** ISO 8601. */
    time: string;
  }): Promise<{ commit: string; tree: string }> {
    const { author, message, time } = options;
    await this.#git(['init', '-q', '--template=', '-b', 'main']);
    await this.#git(['add', '-A', '.']);
    const tree = await this.#git(['write-tree']);
    const commit = await this.#git(['commit-tree', tree, '-m', message], {
      GIT_AUTHOR_NAME: author.name,
      GIT_AUTHOR_EMAIL: author.email,
      GIT_AUTHOR_DATE: time,
      GIT_COMMITTER_NAME: author.name,
      GIT_COMMITTER_EMAIL: author.email,
      GIT_COMMITTER_DATE: time,
    });
    return { commit, tree };
  }

  /**
   * Answers the commit that the branch has in the end: an equal tree that is there already
   * stays as it is. `ConflictError` when the branch holds something else.
   */
  async push(options: {
    commit: string;
    tree: string;
    cloneUrl: string;
    branch: string;
    token: string;
  }): Promise<string> {
    const { commit, tree, cloneUrl, branch, token } = options;
    const ref = `refs/heads/${branch}`;
    const remote = (args: string[]) => this.#git(args, authenticate(token));

    const tip = (await remote(['ls-remote', cloneUrl, ref])).split(/\s/)[0];
    if (tip === commit) {
      return commit;
    }
    if (tip) {
      await remote(['fetch', '-q', '--depth=1', cloneUrl, ref]);
      const theirs = await this.#git(['rev-parse', `${tip}^{tree}`]);
      if (theirs === tree) {
        return tip;
      }
      throw new ConflictError(
        `branch ${branch} already holds other content (commit ${tip})`,
      );
    }
    await remote(['push', '-q', cloneUrl, `${commit}:${ref}`]).catch(error => {
      // Nothing is ever pushed over: somebody was faster since we looked.
      throw /\[rejected\]|cannot lock ref|failed to update ref/.test(
        error.message,
      )
        ? new ConflictError(`branch ${branch} was filled by somebody else`)
        : error;
    });
    return commit;
  }

  async #git(args: string[], env: Record<string, string> = {}) {
    const { gitDir, workTree, signal } = this.#options;
    return new Promise<string>((resolve, reject) => {
      execFile(
        'git',
        args,
        {
          cwd: workTree,
          signal,
          timeout: COMMAND_TIMEOUT_MS,
          maxBuffer: MAX_OUTPUT_BYTES,
          env: {
            PATH: process.env.PATH ?? '',
            LC_ALL: 'C',
            HOME: gitDir,
            GIT_DIR: gitDir,
            GIT_WORK_TREE: workTree,
            GIT_CONFIG_NOSYSTEM: '1',
            GIT_CONFIG_GLOBAL: '/dev/null',
            GIT_TERMINAL_PROMPT: '0',
            GIT_HTTP_LOW_SPEED_LIMIT: '1',
            GIT_HTTP_LOW_SPEED_TIME: '30',
            ...env,
          },
        },
        (error, stdout, stderr) => {
          if (!error) {
            resolve(stdout.trim());
          } else if (signal?.aborted) {
            reject(new Error('cancelled'));
          } else if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
            reject(
              new Error('the git program is missing on the machine of Rocket'),
            );
          } else {
            const said = stderr.trim() || (error.killed ? 'no answer' : '');
            reject(
              new Error(`git ${args[0]}: ${said || `exit ${error.code}`}`),
            );
          }
        },
      );
    });
  }
}

function authenticate(token: string): Record<string, string> {
  const basic = Buffer.from(`rocket:${token}`).toString('base64');
  return {
    GIT_CONFIG_COUNT: '2',
    GIT_CONFIG_KEY_0: 'http.extraHeader',
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
    // A redirect must not carry the header to another host.
    GIT_CONFIG_KEY_1: 'http.followRedirects',
    GIT_CONFIG_VALUE_1: 'false',
  };
}
