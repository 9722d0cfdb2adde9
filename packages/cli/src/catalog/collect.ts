import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { InputFileError, UsageError } from '../errors';
import { type CatalogDocument, readDocuments } from './documents';
import type { Problem } from './problems';

const NAMES = ['catalog-info.yaml', 'catalog-info.yml'];
const SKIPPED = new Set(['node_modules', 'vendor', 'dist', 'target']);
const MAX_FILES = 5_000;
const MAX_FOLDERS = 100_000;

/** What the catalog files of a repository hold. */
export interface Collected {
  /** Files in the order they were read, as they are shown. */
  files: string[];
  documents: CatalogDocument[];
  problems: Problem[];
}

/** `catalog-info.yaml` and `.yml` files below a folder; hidden folders and installed packages are left out. */
export function findCatalogFiles(root: string): string[] {
  const found: string[] = [];
  const open = [root];
  let folders = 0;
  for (let folder = open.shift(); folder !== undefined; folder = open.shift()) {
    folders += 1;
    if (folders > MAX_FOLDERS)
      throw new InputFileError(
        root,
        `has more than ${MAX_FOLDERS} folders; name the catalog files`,
      );
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort(
      (a, b) => (a.name < b.name ? -1 : 1),
    )) {
      const full = path.join(folder, entry.name);
      // A symbolic link is neither: it may lead out of the repository.
      if (entry.isFile() && NAMES.includes(entry.name)) found.push(full);
      else if (
        entry.isDirectory() &&
        !entry.name.startsWith('.') &&
        !SKIPPED.has(entry.name)
      )
        open.push(full);
    }
  }
  return found;
}

/** True when the file is in the folder, and not only by its name. */
export function isInside(folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return (
    relative !== '..' &&
    !relative.startsWith(`..${path.sep}`) &&
    !path.isAbsolute(relative)
  );
}

/**
 * Reads the files and folders that are named, or else finds the repository's. Locations lead to more files of the repository.
 *
 * @param cwd - what names are relative to, and how files are shown
 * @param root - the repository; Locations do not lead out of it
 */
export function collect(names: string[], cwd: string, root: string): Collected {
  const collected: Collected = { files: [], documents: [], problems: [] };
  const waiting: string[] = [];
  for (const name of names) {
    const full = path.resolve(cwd, name);
    if (!existsSync(full)) throw new InputFileError(name, 'does not exist');
    if (statSync(full).isDirectory()) waiting.push(...findCatalogFiles(full));
    else waiting.push(full);
  }
  if (names.length === 0) waiting.push(...findCatalogFiles(root));
  if (waiting.length === 0)
    throw new UsageError(
      names.length === 0
        ? 'There is no catalog-info.yaml in this repository; name the files'
        : 'There is no catalog-info.yaml in these folders',
    );
  const seen = new Set<string>();
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    if (seen.has(file)) continue;
    seen.add(file);
    if (seen.size > MAX_FILES)
      throw new UsageError(`These are more than ${MAX_FILES} catalog files`);
    const shown = path.relative(cwd, file) || file;
    const { documents, problems } = readDocuments(file, shown);
    collected.files.push(shown);
    collected.problems.push(...problems);
    for (const document of documents) {
      if ((document.value as any)?.kind === 'Location')
        waiting.push(...targets(document, root, collected.problems));
      else collected.documents.push(document);
    }
  }
  return collected;
}

/** Files of the repository that a Location names. */
function targets(
  document: CatalogDocument,
  root: string,
  problems: Problem[],
): string[] {
  const { spec } = document.value as { spec?: any };
  const named: { target: unknown; field: (string | number)[] }[] = [];
  if (spec?.target !== undefined)
    named.push({ target: spec.target, field: ['spec', 'target'] });
  if (Array.isArray(spec?.targets))
    spec.targets.forEach((target: unknown, index: number) =>
      named.push({ target, field: ['spec', 'targets', index] }),
    );
  const complain = (
    field: (string | number)[],
    message: string,
    severity: Problem['severity'],
  ) =>
    problems.push({
      file: document.file,
      ...document.locate(field),
      severity,
      rule: 'location',
      message: `${field.join('.')} ${message}`,
      field: field.join('.'),
    });
  return named.flatMap(({ target, field }) => {
    if (typeof target !== 'string') {
      complain(field, 'must be a text', 'error');
      return [];
    }
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) {
      complain(
        field,
        'leads out of the repository; it is not followed',
        'warning',
      );
      return [];
    }
    const full = path.resolve(path.dirname(document.path), target);
    if (!isInside(root, full)) {
      complain(field, 'must name a file of this repository', 'error');
      return [];
    }
    if (!existsSync(full) || !statSync(full).isFile()) {
      complain(field, `names ${target}, which does not exist`, 'error');
      return [];
    }
    return [full];
  });
}
