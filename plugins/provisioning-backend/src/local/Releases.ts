import { existsSync } from 'node:fs';
import {
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeTarget } from '@rocket/plugin-provisioning-node';
import { assertServiceName } from '../service/names';
import { installEnvironment } from './environment';
import { readManifest, type RuntimeManifest } from './manifest';
import { DISK_FULL_HINT, runCommand } from './runCommand';
import type { ServiceLogFile } from './ServiceLogFile';

/** The checked-out commits of the services: `<directory>/<name>/releases/<sha>`. */
export class Releases {
  readonly #directory: string;
  readonly #commandTimeoutMs: number;

  constructor(options: { directory: string; commandTimeoutMs: number }) {
    this.#directory = options.directory;
    this.#commandTimeoutMs = options.commandTimeoutMs;
  }

  path(target: RuntimeTarget): string {
    return join(this.#releases(target.name), target.commit);
  }

  /** Under another name first: a release directory that exists is whole. */
  async checkout(
    target: RuntimeTarget,
    signal: AbortSignal,
  ): Promise<RuntimeManifest> {
    const release = this.path(target);
    if (!existsSync(release)) {
      const draft = `${release}.new`;
      await rm(draft, { recursive: true, force: true });
      try {
        await mkdir(draft, { recursive: true, mode: 0o700 });
        await target.checkout(draft, signal);
        await rename(draft, release);
      } catch (error) {
        // Half a checkout is of no use, and it may be what fills the disk.
        await rm(draft, { recursive: true, force: true }).catch(() => {});
        if (/ENOSPC|no space left on device/i.test(String(error))) {
          throw new Error(
            `The checkout of ${target.commit.slice(
              0,
              7,
            )} was not written. ${DISK_FULL_HINT}`,
          );
        }
        throw error;
      }
    }
    return readManifest(release);
  }

  async install(
    target: RuntimeTarget,
    manifest: RuntimeManifest,
    log: ServiceLogFile,
    signal: AbortSignal,
  ) {
    const release = this.path(target);
    const done = `${release}.installed`;
    if (!manifest.install || existsSync(done)) return;
    await runCommand('The installation', manifest.install, {
      cwd: release,
      env: installEnvironment(target, this.#directory),
      log,
      signal,
      timeoutMs: this.#commandTimeoutMs,
    });
    await writeFile(done, '');
  }

  /** Keeps the running release and the one before it. */
  async prune(target: RuntimeTarget) {
    const releases = this.#releases(target.name);
    const marker = join(releases, 'current');
    const before = await readFile(marker, 'utf8').catch(() => '');
    if (before === target.commit) return;
    for (const entry of await readdir(releases)) {
      const keep = [target.commit, before].some(
        commit => commit && entry.startsWith(commit),
      );
      if (!keep) {
        await rm(join(releases, entry), { recursive: true, force: true });
      }
    }
    await writeFile(marker, target.commit);
  }

  #releases(name: string) {
    return join(this.#directory, assertServiceName(name), 'releases');
  }
}
