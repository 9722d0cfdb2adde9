import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoggerService } from '@backstage/backend-plugin-api';
import {
  describeProcess,
  endGroup,
  findMarkedGroups,
  recognizeProcess,
} from './processes';
import { PROXY_PID_FILE } from './ServiceProxy';

/** Directory in a service's own with one file per instance. */
export const PID_FILES = 'run';

/**
 * Two backends on one directory would end each other's services.
 * @returns what gives the directory free again.
 */
export async function lockDirectory(
  directory: string,
): Promise<() => Promise<void>> {
  const file = join(directory, 'backend.pid');
  const holder = recognizeProcess(await readFile(file, 'utf8').catch(() => ''));
  if (holder) {
    throw new Error(
      `The data directory ${directory} is in use by the backend with process id ${holder}; end it, or set another provisioning.dataDir`,
    );
  }
  await writeFile(file, describeProcess(process.pid), { mode: 0o600 });
  return () => rm(file, { force: true });
}

/**
 * Ends what a killed backend left. It is not adopted: its output has nobody to
 * read it any more. What should run is started anew.
 */
export async function endLeftovers(
  directory: string,
  graceMs: number,
  logger: LoggerService,
): Promise<void> {
  const groups = new Set(findMarkedGroups(directory));
  const collect = async (file: string) => {
    const pid = recognizeProcess(await readFile(file, 'utf8').catch(() => ''));
    if (pid) groups.add(pid);
    await rm(file, { force: true });
  };
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const home = join(directory, entry.name);
    const files = [
      // Before there were several instances.
      join(home, 'process.pid'),
      ...(await readdir(join(home, PID_FILES)).catch(() => [])).map(name =>
        join(home, PID_FILES, name),
      ),
    ];
    for (const file of files) await collect(file);
  }
  await collect(join(directory, PROXY_PID_FILE));
  if (groups.size > 0) {
    logger.warn(`ending ${groups.size} processes that a killed backend left`);
  }
  await Promise.all([...groups].map(group => endGroup(group, graceMs)));
}
