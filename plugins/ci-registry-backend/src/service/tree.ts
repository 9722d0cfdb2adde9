import { isWellFormed } from '@rocket/plugin-ci-registry-common';

/** Deeper than any real entity, shallow enough for every walker in the catalog. */
const MAX_DEPTH = 40;
/** Values in one tree; far more than any real entity has, and still quickly walked. */
const MAX_NODES = 100_000;

export interface TreeProblem {
  /** Path from the root, empty for the root itself. */
  path: string;
  message: string;
}

function textProblem(text: string): string | undefined {
  if (text.includes('\u0000')) return 'holds a NUL character';
  if (!isWellFormed(text)) return 'is not valid Unicode: half of a character';
  return undefined;
}

function keyProblem(key: string): string | undefined {
  // Where an object is copied by assignment, this name changes its nature.
  if (key === '__proto__') return 'has a key __proto__';
  return textProblem(key) && `has a key that ${textProblem(key)}`;
}

/**
 * Without recursion: finds what is too deep or too much, what PostgreSQL cannot store or canonical JSON cannot say, and
 * placeholders, which the catalog would resolve by fetching an address of the caller's choice.
 */
export function findTreeProblem(root: unknown): TreeProblem | undefined {
  const open: { value: unknown; path: string[] }[] = [
    { value: root, path: [] },
  ];
  let nodes = 0;
  for (let node = open.pop(); node; node = open.pop()) {
    const { value, path } = node;
    const problem = (message: string) => ({ path: path.join('.'), message });
    nodes += 1;
    if (nodes > MAX_NODES) {
      return { path: '', message: `holds more than ${MAX_NODES} values` };
    }
    if (path.length > MAX_DEPTH) {
      return {
        path: path.slice(0, 4).join('.'),
        message: `… is nested deeper than ${MAX_DEPTH} levels`,
      };
    }
    if (typeof value === 'string') {
      const message = textProblem(value);
      if (message) return problem(message);
    } else if (typeof value === 'number' && !Number.isFinite(value)) {
      return problem('is a number too large to be stored');
    } else if (value && typeof value === 'object') {
      const keys = Object.keys(value);
      if (
        !Array.isArray(value) &&
        keys.length === 1 &&
        keys[0].startsWith('$') &&
        keys[0] !== '$ref'
      ) {
        return problem(
          `is a ${keys[0]} placeholder; nothing is fetched for a pushed entity, so put the text itself there`,
        );
      }
      for (const key of keys) {
        const message = keyProblem(key);
        if (message) return problem(message);
        open.push({
          value: (value as Record<string, unknown>)[key],
          path: [...path, key],
        });
      }
    }
  }
  return undefined;
}
