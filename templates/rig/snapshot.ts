/**
 * The rendered tree as it was last looked at: a line `mode sha256  path` per file and option set. A change of the templates has to be
 * looked at and committed with it: `templates/rig/check.ts --update`.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { filesOf } from './templates';

export const SNAPSHOTS = path.join(__dirname, 'snapshots');

/** Lines by path. */
export type Tree = Map<string, string>;

export function lineOf(
  file: string,
  content: Buffer,
  executable: boolean,
): string {
  const hash = createHash('sha256').update(content).digest('hex');
  return `${executable ? '100755' : '100644'} ${hash}  ${file}`;
}

export function treeOf(root: string): Tree {
  return new Map(
    filesOf(root).map(file => {
      const at = path.join(root, file);
      return [
        file,
        lineOf(file, readFileSync(at), (statSync(at).mode & 0o111) !== 0),
      ];
    }),
  );
}

/** Paths that are not the same in both, with what happened to them. */
export function difference(expected: Tree, actual: Tree): string[] {
  const paths = [...new Set([...expected.keys(), ...actual.keys()])].sort();
  return paths.flatMap(file => {
    if (expected.get(file) === actual.get(file)) return [];
    if (!actual.has(file)) return [`${file} is gone`];
    return [expected.has(file) ? `${file} changed` : `${file} is new`];
  });
}

/** The text of a snapshot: the first tree in full, of the others what differs from it. */
export function snapshotText(trees: [string, Tree][]): string {
  const [[, first]] = trees;
  return trees
    .map(([options, tree], index) => {
      const lines =
        index === 0
          ? [...tree.values()]
          : [...new Set([...first.keys(), ...tree.keys()])]
              .sort()
              .filter(file => first.get(file) !== tree.get(file))
              .map(file => tree.get(file) ?? `none  ${file}`);
      return [`# ${options}`, ...lines, ''].join('\n');
    })
    .join('\n');
}

export function readSnapshot(text: string): Map<string, Tree> {
  const trees = new Map<string, Tree>();
  let first: Tree | undefined;
  for (const section of text.split(/^# /m).slice(1)) {
    const [options, ...lines] = section.split('\n').filter(Boolean);
    const tree: Tree = new Map(first ?? []);
    for (const line of lines) {
      const file = line.slice(line.indexOf('  ') + 2);
      if (line.startsWith('none ')) tree.delete(file);
      else tree.set(file, line);
    }
    first ??= tree;
    trees.set(options, tree);
  }
  return trees;
}

export function snapshotFile(template: string, folder = SNAPSHOTS): string {
  return path.join(folder, `${template}.txt`);
}

/** Throws an Error that names what differs from the snapshot. */
export function compareSnapshot(
  template: string,
  trees: [string, Tree][],
  folder = SNAPSHOTS,
  complete = true,
): void {
  const file = snapshotFile(template, folder);
  if (!existsSync(file))
    throw new Error(
      `there is no snapshot of ${template}; look at it and run with --update`,
    );
  const expected = readSnapshot(readFileSync(file, 'utf8'));
  const wrong = trees.flatMap(([options, tree]) =>
    difference(expected.get(options) ?? new Map(), tree).map(
      text => `${options}: ${text}`,
    ),
  );
  for (const options of complete ? expected.keys() : [])
    if (!trees.some(([name]) => name === options))
      wrong.push(`${options}: is no longer offered`);
  if (wrong.length > 0) {
    const shown = wrong.slice(0, 12);
    if (wrong.length > shown.length)
      shown.push(`and ${wrong.length - shown.length} more`);
    throw new Error(
      `${shown.join(
        '\n',
      )}\nIf that is what you meant, run with --update and commit the snapshot`,
    );
  }
}

export function updateSnapshot(
  template: string,
  trees: [string, Tree][],
  folder = SNAPSHOTS,
): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(snapshotFile(template, folder), snapshotText(trees));
}
