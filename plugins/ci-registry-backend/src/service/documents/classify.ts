import type {
  ApiChange,
  ChangeSeverity,
} from '@rocket/plugin-ci-registry-common';

/** A difference as `api-smart-diff` finds it. */
export interface TreeDiff {
  action: string;
  type: string;
  path: (string | number)[];
  before?: unknown;
  after?: unknown;
  description?: string;
}

const METHODS = new Set(
  'get put post delete options head patch trace query'.split(' '),
);
const SEVERITIES: Record<string, ChangeSeverity> = {
  breaking: 'breaking',
  'non-breaking': 'compatible',
  annotation: 'compatible',
};
/** Parts of a path that say nothing to people. */
const SILENT = new Set(['schema', 'content', 'application/json', 'properties']);

function at(tree: any, path: (string | number)[]): any {
  return path.reduce((value, key) => value?.[key], tree);
}

/** The place for people: `POST /v1/x › 201 › amount`. `trees`: where names of parameters are looked up. */
export function locationOf(path: (string | number)[], trees: any[]): string {
  const parts: string[] = [];
  path.forEach((key, index) => {
    const before = path[index - 1];
    const text = String(key);
    if (index === 0 && key === 'paths') return;
    if (before === 'paths' && index === 1) {
      const method = String(path[2] ?? '');
      parts.push(
        METHODS.has(method) ? `${method.toUpperCase()} ${text}` : text,
      );
      return;
    }
    if (index === 2 && path[0] === 'paths' && METHODS.has(text)) return;
    if (text === 'parameters' || text === 'responses') return;
    if (before === 'parameters') {
      const parameter = trees
        .map(tree => at(tree, path.slice(0, index + 1)))
        .find(found => typeof found?.name === 'string');
      parts.push(
        parameter ? `${parameter.in} parameter ${parameter.name}` : text,
      );
      return;
    }
    if (text === 'requestBody') parts.push('request body');
    else if (text === 'items' && before !== 'properties') parts.push('[]');
    // A place in a list of names or values is no place in the API.
    else if (before === 'required' || before === 'enum') return;
    else if (!SILENT.has(text) || before === 'properties') parts.push(text);
  });
  return parts.join(' › ') || 'document';
}

const asTypes = (value: unknown): string[] => [value ?? []].flat().map(String);

/** Whether every value of one of the types in `some` is of a type in `all`. */
function within(some: string[], all: string[]): boolean {
  return some.every(
    type =>
      all.includes(type) || (type === 'integer' && all.includes('number')),
  );
}

/**
 * What the library calls it, except where that is not what a client feels:
 * a type that is replaced is judged by whether old clients still understand
 * every answer, or are still understood; a property that is no longer there
 * may have been used, even when nobody promised it.
 */
function severityOf(diff: TreeDiff): ChangeSeverity {
  const { path, action, before, after } = diff;
  const [last, previous] = [path.at(-1), path.at(-2)];
  const inAnswer = path.includes('responses');
  if (last === 'type' && action === 'replace' && previous !== 'properties') {
    const [old, now] = [asTypes(before), asTypes(after)];
    return (inAnswer ? within(now, old) : within(old, now))
      ? 'compatible'
      : 'breaking';
  }
  const severity = SEVERITIES[diff.type] ?? 'warning';
  if (
    action === 'remove' &&
    previous === 'properties' &&
    severity === 'compatible'
  ) {
    return 'warning';
  }
  return severity;
}

const show = (value: unknown) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text !== undefined && text.length <= 60 ? text : undefined;
};

function messageOf({ action, path, before, after, ...diff }: TreeDiff): string {
  const name = String(path.at(-1));
  const description = diff.description?.replace(/^\[(\w+)\] /, '$1 ');
  const text = description ?? `${action} ${name}`;
  const [old, now] = [show(before), show(after)];
  const values =
    action === 'replace' && old !== undefined && now !== undefined
      ? `: ${old} → ${now}`
      : '';
  const value =
    path.at(-2) === 'enum'
      ? ` (${show(action === 'remove' ? before : after) ?? 'a value'} ${
          action === 'remove' ? 'is gone' : 'is new'
        })`
      : '';
  return `${text}${values}${value}`;
}

/**
 * Differences as they are told. What lies in `components` is told where it is
 * used; a part that nobody uses breaks nobody.
 */
export function classify(diffs: TreeDiff[], trees: any[]): ApiChange[] {
  return diffs
    .filter(({ path }) => path[0] !== 'components')
    .map(diff => ({
      severity: severityOf(diff),
      location: locationOf(diff.path, trees),
      message: messageOf(diff),
    }));
}
