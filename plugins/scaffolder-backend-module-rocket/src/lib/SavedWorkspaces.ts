import { randomUUID } from 'node:crypto';
import { cp, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '@backstage/errors';
import type { WorkspaceProvider } from '@backstage/plugin-scaffolder-node/alpha';

const TASK_ID = /^[0-9a-zA-Z-]{1,64}$/;
/** Nobody retries a run this old; its files go at the next start. */
const KEEP_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Keeps the files of unfinished runs on disk, so that a run that is resumed or
 * retried after its first steps still has what those steps made.
 */
export class SavedWorkspaces implements WorkspaceProvider {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async serializeWorkspace(options: {
    path: string;
    taskId: string;
  }): Promise<void> {
    const saved = this.#saved(options.taskId);
    const fresh = `${saved}.new-${randomUUID()}`;
    const old = `${saved}.old`;
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    try {
      await cp(options.path, fresh, {
        recursive: true,
        verbatimSymlinks: true,
      });
      // A copied folder has the age of the original.
      await utimes(fresh, new Date(), new Date());
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      throw error;
    }
    // At each moment one of the two names holds a whole copy.
    if (await exists(saved)) {
      await rm(old, { recursive: true, force: true });
      await rename(saved, old);
    }
    await rename(fresh, saved);
    await rm(old, { recursive: true, force: true });
  }

  /** Empties the target first: a killed step may have left half a file there. */
  async rehydrateWorkspace(options: {
    taskId: string;
    targetPath: string;
  }): Promise<void> {
    const saved = this.#saved(options.taskId);
    await rm(options.targetPath, { recursive: true, force: true });
    await mkdir(options.targetPath, { recursive: true });
    const from = (await exists(saved)) ? saved : `${saved}.old`;
    if (await exists(from)) {
      await cp(from, options.targetPath, {
        recursive: true,
        verbatimSymlinks: true,
      });
    }
  }

  async cleanWorkspace(options: { taskId: string }): Promise<void> {
    const saved = this.#saved(options.taskId);
    for (const path of [saved, `${saved}.old`]) {
      await rm(path, { recursive: true, force: true });
    }
  }

  /** Removes what no run will come back for. */
  async prune(now = Date.now()): Promise<void> {
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const path = join(this.#directory, name);
      const { mtimeMs } = await stat(path);
      if (name.includes('.new-') || now - mtimeMs > KEEP_MS) {
        await rm(path, { recursive: true, force: true });
      }
    }
  }

  #saved(taskId: string): string {
    if (!TASK_ID.test(taskId)) {
      throw new InputError(`'${taskId}' is not the id of a task`);
    }
    return join(this.#directory, taskId);
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
