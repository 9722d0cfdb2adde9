import { createHash } from 'node:crypto';

const MAX = 63;
const HASH = 6;

const hashOf = (text: string) =>
  createHash('sha256').update(text).digest('hex').slice(0, HASH);

/**
 * A DNS label (letters, digits and dashes, begins with a letter, at most 63)
 * for any text. What had to be changed or cut gets a hash, so that two texts
 * do not meet in one label.
 */
export function toLabel(text: string, max: number = MAX): string {
  const plain = text
    .toLocaleLowerCase('en-US')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .replace(/-+$/, '');
  if (plain === text && plain.length >= 3 && plain.length <= max) return plain;
  const cut = plain.slice(0, max - HASH - 1).replace(/-+$/, '') || 'x';
  return `${cut}-${hashOf(text)}`;
}

/**
 * Name of an environment of a branch: `pr-<number>-<slug>` for a pull request
 * (`refs/pull/31/head`, `pull/31/new-limits`, `pr/31`), else the branch's slug.
 */
export function environmentName(branch: string, component: string): string {
  const pull =
    /^(?:refs\/)?(?:pull|pr|merge-requests)[/-](\d+)(?:\/(?:head|merge)?(.*))?$/.exec(
      branch,
    );
  const text = pull ? ['pr', pull[1], pull[2] || component].join('-') : branch;
  // Branches of two components may have the same name.
  return toLabel(pull ? text : `${text}-${component}`);
}

/** Record name of a component's service in an environment. */
export function environmentServiceName(
  service: string,
  environment: string,
): string {
  return toLabel(`${service}-${environment}`);
}
