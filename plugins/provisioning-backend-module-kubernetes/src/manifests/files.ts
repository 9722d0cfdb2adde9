import { lstat, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '@backstage/errors';
import type { ManifestFiles } from './kustomize';

const MAX_FILES = 100;
const MAX_BYTES = 512 * 1024;

/**
 * The files below a folder of a checkout. Links are refused: whoever writes the
 * repository would read this machine's files by them.
 *
 * @throws InputError
 */
export async function readManifestFiles(root: string): Promise<ManifestFiles> {
  const files = new Map<string, string>();
  let bytes = 0;
  async function walk(folder: string): Promise<void> {
    for (const entry of await readdir(join(root, folder), {
      withFileTypes: true,
    })) {
      const name = folder ? `${folder}/${entry.name}` : entry.name;
      if (entry.isDirectory()) {
        await walk(name);
        continue;
      }
      if (!entry.isFile())
        throw new InputError(`${name}: is a link or no plain file`);
      if (!/\.ya?ml$|(^|\/)Kustomization$/.test(name)) continue;
      bytes += (await lstat(join(root, name))).size;
      if (files.size >= MAX_FILES || bytes > MAX_BYTES)
        throw new InputError(
          `${name}: more than ${MAX_FILES} files or ${
            MAX_BYTES / 1024
          } KiB of manifests`,
        );
      files.set(name, await readFile(join(root, name), 'utf8'));
    }
  }
  const found = await lstat(root).catch(() => undefined);
  if (!found?.isDirectory())
    throw new InputError(
      'the repository has no folder deploy/kubernetes; fetch the shared skeleton, or choose another runtime',
    );
  await walk('');
  return files;
}
