import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { ConflictError, InputError, NotFoundError } from '@backstage/errors';
import { git } from './gitCommand';
import { assertServiceName } from '../service/names';

export const DEFAULT_BRANCH = 'main';

/** A branch, tag or SHA that Git cannot take for an option or a range. */
const REF_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/;

/** One commit of a repository. */
export interface GitCommit {
  sha: string;
  /** When it was committed, ISO 8601. */
  time: string;
  author?: string;
  /** First line of its message. */
  subject?: string;
}

function oneLine(text: string | undefined, max: number): string | undefined {
  // eslint-disable-next-line no-control-regex
  const line = text?.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim();
  return line ? [...line].slice(0, max).join('') : undefined;
}

/** Bare repositories in one directory, named `<name>.git`. */
export class GitHost {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Ends what an interrupted `create` or `remove` left. */
  async prepare(): Promise<void> {
    await mkdir(this.root, { recursive: true, mode: 0o700 });
    for (const entry of await readdir(this.root)) {
      if (entry.startsWith('.new-') || entry.startsWith('.gone-')) {
        await rm(join(this.root, entry), { recursive: true, force: true });
      }
    }
  }

  /** The repository's directory, or undefined when there is none. A symbolic link is none. */
  async find(name: string): Promise<string | undefined> {
    const directory = join(this.root, `${assertServiceName(name)}.git`);
    const stat = await lstat(directory).catch(() => undefined);
    return stat?.isDirectory() ? directory : undefined;
  }

  /** Makes an empty repository; leaves an existing one alone. */
  async create(name: string): Promise<void> {
    if (await this.find(name)) return;
    const draft = join(this.root, `.new-${randomBytes(8).toString('hex')}`);
    try {
      await git([
        'init',
        '--quiet',
        '--bare',
        '--template=',
        `--initial-branch=${DEFAULT_BRANCH}`,
        draft,
      ]);
      await rename(draft, join(this.root, `${name}.git`));
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      if (!(await this.find(name))) throw error;
    }
  }

  async isEmpty(name: string): Promise<boolean> {
    const directory = await this.#get(name);
    const refs = await git([
      `--git-dir=${directory}`,
      'for-each-ref',
      '--count=1',
    ]);
    return refs.trim() === '';
  }

  /** What each branch and tag points at: names, commits, trees, and whether a commit has parents. */
  async heads(
    name: string,
  ): Promise<{ ref: string; commit: string; tree: string; root: boolean }[]> {
    const directory = await this.#get(name);
    const text = await git([
      `--git-dir=${directory}`,
      'for-each-ref',
      '--format=%(refname)%1f%(objectname)%1f%(tree)%1f%(parent)',
    ]);
    return text
      .split('\n')
      .filter(Boolean)
      .map(row => {
        const [ref, commit, tree, parent] = row.split('\x1f');
        return { ref, commit, tree, root: !parent };
      });
  }

  /** Takes the repository away; nothing to do when there is none. */
  async remove(name: string): Promise<void> {
    const directory = await this.find(name);
    if (!directory) return;
    const gone = join(this.root, `.gone-${randomBytes(8).toString('hex')}`);
    await rename(directory, gone);
    await rm(gone, { recursive: true, force: true });
  }

  /** Full SHA of a branch, tag or SHA; default: the default branch. */
  async resolve(name: string, ref: string = DEFAULT_BRANCH): Promise<string> {
    if (!REF_PATTERN.test(ref) || ref.includes('..')) {
      throw new InputError(
        `ref: '${ref.slice(0, 80)}' is not the name of a branch, tag or commit`,
      );
    }
    const directory = await this.#get(name);
    try {
      const sha = await git([
        `--git-dir=${directory}`,
        'rev-parse',
        '--verify',
        '--quiet',
        '--end-of-options',
        `${ref}^{commit}`,
      ]);
      return sha.trim();
    } catch {
      if (await this.isEmpty(name)) {
        throw new ConflictError(
          `The repository '${name}' is still empty; push a commit first`,
        );
      }
      throw new NotFoundError(
        `The repository '${name}' has no branch, tag or commit '${ref}'`,
      );
    }
  }

  /** Commits that `commit` has and `after` has not, the newest first; all of them when `after` is unknown. */
  async log(
    name: string,
    commit: string,
    options: { after?: string; limit: number },
  ): Promise<GitCommit[]> {
    const directory = await this.#get(name);
    const list = (...range: string[]) =>
      git([
        `--git-dir=${directory}`,
        'log',
        `--max-count=${options.limit}`,
        '--format=%H%x1f%cI%x1f%an%x1f%s',
        '--end-of-options',
        ...range,
      ]);
    const { after } = options;
    const text = await list(commit, ...(after ? [`^${after}`] : [])).catch(
      error => {
        if (!after) throw error;
        return list(commit);
      },
    );
    return text
      .split('\n')
      .filter(Boolean)
      .map(row => {
        const [sha, time, author, subject] = row.split('\x1f');
        return {
          sha,
          time,
          author: oneLine(author, 200),
          subject: oneLine(subject, 500),
        };
      });
  }

  /** Text of a commit's file, at most 1 MiB; undefined when there is none. */
  async readFile(
    name: string,
    commit: string,
    path: string,
  ): Promise<string | undefined> {
    const directory = await this.#get(name);
    try {
      return await git([
        `--git-dir=${directory}`,
        'cat-file',
        'blob',
        `${commit}:${path}`,
      ]);
    } catch {
      return undefined;
    }
  }

  /** Writes a commit's files into an existing, empty directory. */
  async checkout(
    name: string,
    commit: string,
    directory: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const gitDir = await this.#get(name);
    // An index of its own: several checkouts of one repository do not meet.
    const index = `${directory}.index`;
    const options = { env: { GIT_INDEX_FILE: index }, signal };
    try {
      await git([`--git-dir=${gitDir}`, 'read-tree', commit], options);
      await git(
        [
          `--git-dir=${gitDir}`,
          `--work-tree=${directory}`,
          'checkout-index',
          '--all',
          '--force',
          `--prefix=${directory}/`,
        ],
        options,
      );
    } finally {
      await rm(index, { force: true });
      await rm(`${index}.lock`, { force: true });
    }
  }

  async #get(name: string): Promise<string> {
    const directory = await this.find(name);
    if (!directory) throw new NotFoundError(`No repository '${name}'`);
    return directory;
  }
}
