import type { FieldChange } from './api';

type Json = unknown;
type JsonObject = Record<string, Json>;

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function equal(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => equal(item, b[i]));
  }
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    return (
      keys.length === Object.keys(b).length &&
      keys.every(key => Object.hasOwn(b, key) && equal(a[key], b[key]))
    );
  }
  return false;
}

/** One step of a JSON Pointer, RFC 6901. */
function step(key: string | number): string {
  return `/${String(key).replace(/~/g, '~0').replace(/\//g, '~1')}`;
}

function diffArrays(
  before: Json[],
  after: Json[],
  path: string,
  changes: FieldChange[],
): void {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && equal(before[head], after[head])) head++;
  let tail = 0;
  while (
    tail < shorter - head &&
    equal(before[before.length - 1 - tail], after[after.length - 1 - tail])
  ) {
    tail++;
  }
  const oldEnd = before.length - tail;
  const newEnd = after.length - tail;
  const common = Math.min(oldEnd, newEnd);
  for (let i = head; i < common; i++) {
    diff(before[i], after[i], path + step(i), changes);
  }
  // From the end, so that each index is right when its turn comes.
  for (let i = oldEnd - 1; i >= common; i--) {
    changes.push({ op: 'remove', path: path + step(i), before: before[i] });
  }
  for (let i = common; i < newEnd; i++) {
    changes.push({ op: 'add', path: path + step(i), after: after[i] });
  }
}

function diff(
  before: Json,
  after: Json,
  path: string,
  changes: FieldChange[],
): void {
  if (equal(before, after)) return;
  if (Array.isArray(before) && Array.isArray(after)) {
    diffArrays(before, after, path, changes);
  } else if (isObject(before) && isObject(after)) {
    const keys = [
      ...new Set([...Object.keys(before), ...Object.keys(after)]),
    ].sort();
    for (const key of keys) {
      const at = path + step(key);
      if (!Object.hasOwn(after, key)) {
        changes.push({ op: 'remove', path: at, before: before[key] });
      } else if (!Object.hasOwn(before, key)) {
        changes.push({ op: 'add', path: at, after: after[key] });
      } else {
        diff(before[key], after[key], at, changes);
      }
    }
  } else {
    changes.push({ op: 'replace', path, before, after });
  }
}

/**
 * What turns one JSON value into another, as an RFC 6902 patch with the old values beside it. Applied in order to `before` it
 * gives `after`. Without a `before` it is one `add` of the whole value at the path ''. Items of arrays are told apart by their
 * place, after what is equal at both ends is set aside.
 */
export function diffFields(before: unknown, after: unknown): FieldChange[] {
  if (before === undefined) return [{ op: 'add', path: '', after }];
  const changes: FieldChange[] = [];
  diff(before, after, '', changes);
  return changes;
}

function setKey(object: JsonObject, key: string, value: Json): void {
  // An assignment to `__proto__` would not add a key of this name.
  Object.defineProperty(object, key, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}

function applyOne(root: Json, change: FieldChange): Json {
  if (change.path === '') {
    return structuredClone(change.after);
  }
  const keys = change.path
    .slice(1)
    .split('/')
    .map(key => key.replace(/~1/g, '/').replace(/~0/g, '~'));
  const last = keys.pop() as string;
  let parent = root;
  for (const key of keys) {
    if (
      typeof parent !== 'object' ||
      parent === null ||
      !Object.hasOwn(parent, key)
    ) {
      throw new Error(`${change.path} does not exist`);
    }
    parent = (parent as JsonObject)[key];
  }
  if (Array.isArray(parent)) {
    const index = Number(last);
    const limit = change.op === 'add' ? parent.length : parent.length - 1;
    if (!/^\d+$/.test(last) || index > limit) {
      throw new Error(`${change.path} does not exist`);
    }
    if (change.op === 'remove') parent.splice(index, 1);
    else if (change.op === 'add')
      parent.splice(index, 0, structuredClone(change.after));
    else parent[index] = structuredClone(change.after);
  } else if (isObject(parent)) {
    if (change.op !== 'add' && !Object.hasOwn(parent, last)) {
      throw new Error(`${change.path} does not exist`);
    }
    if (change.op === 'remove') delete parent[last];
    else setKey(parent, last, structuredClone(change.after));
  } else {
    throw new Error(`${change.path} does not exist`);
  }
  return root;
}

/** Applies changes in order and leaves `value` as it is; throws when a path does not exist. */
export function applyFieldChanges<T = any>(
  value: unknown,
  changes: FieldChange[],
): T {
  return changes.reduce(applyOne, structuredClone(value)) as T;
}
