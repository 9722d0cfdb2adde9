import { InputError } from '@backstage/errors';
import { parse } from 'yaml';
import { describe, groupOf, isRecord, type Manifest } from './manifest';

interface Target {
  group?: string;
  version?: string;
  kind?: string;
  name?: string;
  namespace?: string;
}

interface Operation {
  op: 'add' | 'remove' | 'replace';
  path: string[];
  value?: unknown;
}

export interface Patch {
  where: string;
  /** For a strategic merge without it, the object that the patch names. */
  target: Target;
  operations?: Operation[];
  merge?: Record<string, unknown>;
}

/** Lists that Kubernetes merges by a key, by the name of their field; all others are replaced whole. */
const MERGE_KEYS: Record<string, string> = {
  containers: 'name',
  initContainers: 'name',
  volumes: 'name',
  env: 'name',
  imagePullSecrets: 'name',
  volumeMounts: 'mountPath',
  topologySpreadConstraints: 'topologyKey',
};

const TARGET_FIELDS = ['group', 'version', 'kind', 'name', 'namespace'];

function readOperations(value: unknown[], where: string): Operation[] {
  return value.map((item, index) => {
    const at = `${where}[${index}]`;
    if (!isRecord(item)) throw new InputError(`${at}: must be an object`);
    const { op, path, value: given } = item;
    if (op !== 'add' && op !== 'remove' && op !== 'replace')
      throw new InputError(
        `${at}.op: '${op}' is not supported; there are add, remove and replace`,
      );
    if (typeof path !== 'string' || !path.startsWith('/'))
      throw new InputError(`${at}.path: must begin with /`);
    const steps = path
      .slice(1)
      .split('/')
      .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (steps.some(step => ['__proto__', 'constructor'].includes(step)))
      throw new InputError(`${at}.path: is not allowed`);
    if (op !== 'remove' && given === undefined)
      throw new InputError(`${at}.value: is missing`);
    return { op, path: steps, value: given };
  });
}

/** Reads `patches` of a kustomization: JSON patches (RFC 6902) for a target, and strategic merges. */
export function readPatches(
  value: unknown,
  where: string,
  readFile: (path: unknown) => string,
): Patch[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new InputError(`${where}: must be a list`);
  return value.map((item, index) => {
    const at = `${where}[${index}]`;
    if (!isRecord(item)) throw new InputError(`${at}: must be an object`);
    for (const key of Object.keys(item))
      if (!['path', 'patch', 'target'].includes(key))
        throw new InputError(`${at}: ${key} is not supported`);
    const { target = {} } = item;
    if (!isRecord(target))
      throw new InputError(`${at}.target: must be an object`);
    for (const [key, text] of Object.entries(target)) {
      if (!TARGET_FIELDS.includes(key))
        throw new InputError(`${at}.target: ${key} is not supported`);
      if (typeof text !== 'string')
        throw new InputError(`${at}.target.${key}: must be a text`);
    }
    if ((item.path === undefined) === (item.patch === undefined))
      throw new InputError(`${at}: needs either path or patch`);
    let content: unknown;
    try {
      content = parse(
        item.path === undefined ? String(item.patch) : readFile(item.path),
      );
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`${at}: ${(error as Error).message}`);
    }
    if (Array.isArray(content)) {
      if (!Object.keys(target).length)
        throw new InputError(`${at}: a JSON patch needs a target`);
      return { where: at, target, operations: readOperations(content, at) };
    }
    if (!isRecord(content))
      throw new InputError(`${at}: must be one object or a list of operations`);
    const { apiVersion, kind, metadata } = content;
    if (Object.keys(target).length)
      return { where: at, target, merge: content };
    if (
      typeof kind !== 'string' ||
      typeof apiVersion !== 'string' ||
      !isRecord(metadata) ||
      typeof metadata.name !== 'string'
    )
      throw new InputError(
        `${at}: needs a target, or apiVersion, kind and metadata.name`,
      );
    return {
      where: at,
      target: { kind, name: metadata.name, group: groupOf(apiVersion) },
      merge: content,
    };
  });
}

/** Kustomize takes kind and name of a target as anchored regular expressions; plain ones are enough here. */
function matches(
  object: Manifest,
  { group, version, kind, name, namespace }: Target,
) {
  const [, objectVersion = object.apiVersion] = object.apiVersion.split('/');
  return (
    (kind === undefined || kind === object.kind) &&
    (name === undefined || name === object.metadata.name) &&
    (group === undefined || group === groupOf(object.apiVersion)) &&
    (version === undefined || version === objectVersion) &&
    (namespace === undefined || namespace === object.metadata.namespace)
  );
}

function operate(
  object: Manifest,
  { op, path, value }: Operation,
  where: string,
) {
  const wrong = (what: string) =>
    new InputError(
      `${where}: /${path.join('/')} of ${describe(object)} ${what}`,
    );
  let holder: any = object;
  for (const step of path.slice(0, -1)) {
    const next =
      Array.isArray(holder) || Object.hasOwn(holder, step)
        ? holder[step]
        : undefined;
    if (typeof next !== 'object' || next === null) throw wrong('is not there');
    holder = next;
  }
  const last = path.at(-1)!;
  if (Array.isArray(holder)) {
    const index = last === '-' ? holder.length : Number(last);
    const end = op === 'add' ? holder.length : holder.length - 1;
    if (!Number.isInteger(index) || index < 0 || index > end)
      throw wrong('is not in the list');
    if (op === 'add') holder.splice(index, 0, value);
    else if (op === 'remove') holder.splice(index, 1);
    else holder[index] = value;
    return;
  }
  if (op !== 'add' && !Object.hasOwn(holder, last)) throw wrong('is not there');
  if (op === 'remove') delete holder[last];
  else holder[last] = value;
}

function merge(
  before: unknown,
  patch: unknown,
  field: string,
  where: string,
): unknown {
  if (isRecord(patch)) {
    if (Object.keys(patch).some(key => key.startsWith('$')))
      throw new InputError(
        `${where}: directives such as $patch are not supported; use a JSON patch`,
      );
    const result: Record<string, unknown> = isRecord(before)
      ? { ...before }
      : {};
    for (const [key, value] of Object.entries(patch)) {
      if (key === '__proto__') continue;
      if (value === null) delete result[key];
      else result[key] = merge(result[key], value, key, where);
    }
    return result;
  }
  const key = MERGE_KEYS[field];
  if (!Array.isArray(patch) || !key || !patch.every(isRecord)) return patch;
  // As Kustomize does: those of the patch in its order, then the others.
  const rest = Array.isArray(before) ? [...before] : [];
  const first = patch.map(item => {
    const index = rest.findIndex(
      candidate => isRecord(candidate) && candidate[key] === item[key],
    );
    const [old] = index < 0 ? [] : rest.splice(index, 1);
    return merge(old, item, '', where);
  });
  return [...first, ...rest];
}

/** @throws InputError when the patch hits no object, or a field that is not there. */
export function applyPatch(objects: Manifest[], patch: Patch): Manifest[] {
  const hits = objects.filter(object => matches(object, patch.target));
  if (!hits.length)
    throw new InputError(
      `${patch.where}: no object is ${Object.values(patch.target).join(' ')}`,
    );
  return objects.map(object => {
    if (!hits.includes(object)) return object;
    if (patch.merge) {
      const { apiVersion, kind, metadata } = object;
      const merged = merge(object, patch.merge, '', patch.where) as Manifest;
      // A patch never makes another object of it.
      return {
        ...merged,
        apiVersion,
        kind,
        metadata: {
          ...merged.metadata,
          name: metadata.name,
          ...(metadata.namespace ? { namespace: metadata.namespace } : {}),
        },
      };
    }
    const copy = structuredClone(object);
    for (const operation of patch.operations!)
      operate(
        copy,
        { ...operation, value: structuredClone(operation.value) },
        patch.where,
      );
    return copy;
  });
}
