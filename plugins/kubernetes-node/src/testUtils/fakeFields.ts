/**
 * Who owns which fields, as server-side apply keeps it: a field is a path of
 * segments as in `fieldsV1`. Lists whose items all have a `name` are merged by
 * it, all others are atomic; the real server goes by each kind's schema.
 */
export type Json = any;
export type Leaves = Map<string, { path: string[]; value: Json }>;

/** A manager's fields; `operation` keeps an apply apart from updates. */
export interface Manager {
  manager: string;
  operation: 'Apply' | 'Update';
  subresource?: string;
  time: string;
  fields: Set<string>;
}

const isMap = (value: Json) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isNamedList = (value: Json) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(item => isMap(item) && typeof item.name === 'string');

export const same = (a: Json, b: Json): boolean =>
  JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(key => [key, sorted(value[key])]),
  );
}

const IDENTITY = new Set(
  [
    ['f:apiVersion'],
    ['f:kind'],
    ...['name', 'namespace', 'uid', 'resourceVersion', 'generation'].map(f => [
      'f:metadata',
      `f:${f}`,
    ]),
    ...['creationTimestamp', 'deletionTimestamp', 'managedFields'].map(f => [
      'f:metadata',
      `f:${f}`,
    ]),
  ].map(path => path.join('\n')),
);

/** The leaves of an object, without what says which object it is. */
export function leavesOf(object: Json): Leaves {
  const leaves: Leaves = new Map();
  const walk = (value: Json, path: string[]) => {
    const key = path.join('\n');
    if (IDENTITY.has(key)) return;
    if (isNamedList(value))
      for (const item of value)
        walk(item, [...path, `k:${JSON.stringify({ name: item.name })}`]);
    else if (isMap(value) && Object.keys(value).length)
      for (const [name, inner] of Object.entries(value))
        walk(inner, [...path, `f:${name}`]);
    else if (path.length) leaves.set(key, { path, value });
  };
  walk(object, []);
  return leaves;
}

/** As in messages: `.spec.containers[name="app"].image`. */
export function fieldName(key: string): string {
  return key
    .split('\n')
    .map(part =>
      part.startsWith('k:')
        ? `[name=${JSON.stringify(JSON.parse(part.slice(2)).name)}]`
        : `.${part.slice(2)}`,
    )
    .join('');
}

/** `fieldsV1` of a set of paths. */
export function fieldsV1(fields: Set<string>): Json {
  const tree: Json = {};
  for (const key of fields)
    key.split('\n').reduce((node, part) => (node[part] ??= {}), tree);
  return tree;
}

function child(node: Json, part: string): Json {
  if (part.startsWith('f:')) return node?.[part.slice(2)];
  const { name } = JSON.parse(part.slice(2));
  return Array.isArray(node)
    ? node.find((item: Json) => item.name === name)
    : undefined;
}

function setAt(object: Json, path: string[], value: Json): void {
  let node = object;
  path.forEach((part, at) => {
    const last = at === path.length - 1;
    if (part.startsWith('k:')) {
      const { name } = JSON.parse(part.slice(2));
      let item = node.find((one: Json) => one.name === name);
      if (!item) node.push((item = { name }));
      node = item;
      return;
    }
    const name = part.slice(2);
    if (last) node[name] = value;
    else if (path[at + 1].startsWith('k:'))
      node = Array.isArray(node[name]) ? node[name] : (node[name] = []);
    else node = isMap(node[name]) ? node[name] : (node[name] = {});
  });
}

/** Removes a leaf, and what is empty without it. */
function removeAt(object: Json, path: string[]): void {
  const nodes = [object];
  for (const part of path.slice(0, -1)) {
    const next = child(nodes[nodes.length - 1], part);
    if (next === undefined) return;
    nodes.push(next);
  }
  for (let at = path.length - 1; at >= 0; at--) {
    const [node, part] = [nodes[at], path[at]];
    if (part.startsWith('f:')) delete node[part.slice(2)];
    else node.splice(node.indexOf(child(node, part)), 1);
    if (Object.keys(node).length || at === 1) return;
  }
}

export interface Applied {
  object: Json;
  managers: Manager[];
  conflicts: { field: string; manager: Manager }[];
}

/** Server-side apply of `wanted` over `live`. */
export function applyFields(
  live: Json,
  managers: Manager[],
  wanted: Json,
  manager: string,
  force: boolean,
  time: string,
): Applied {
  const object = structuredClone(live);
  const now = leavesOf(live);
  const leaves = leavesOf(wanted);
  const mine = managers.find(
    m => m.manager === manager && m.operation === 'Apply',
  );
  const others = managers
    .filter(m => m !== mine)
    .map(m => ({ ...m, fields: new Set(m.fields) }));
  const conflicts: Applied['conflicts'] = [];
  for (const [key, { value }] of leaves) {
    if (now.has(key) && same(now.get(key)!.value, value)) continue;
    for (const other of others.filter(m => m.fields.has(key))) {
      if (force) other.fields.delete(key);
      else conflicts.push({ field: fieldName(key), manager: other });
    }
  }
  const given = [...(mine?.fields ?? [])].filter(
    key => !leaves.has(key) && !others.some(m => m.fields.has(key)),
  );
  for (const key of given) removeAt(object, key.split('\n'));
  for (const { path, value } of leaves.values()) setAt(object, path, value);
  const fields = new Set(leaves.keys());
  const unchanged =
    mine && same([...mine.fields].sort(), [...fields].sort())
      ? mine
      : undefined;
  return {
    object,
    managers: [
      ...others.filter(m => m.fields.size),
      ...(fields.size
        ? [unchanged ?? { manager, operation: 'Apply' as const, time, fields }]
        : []),
    ],
    conflicts,
  };
}

/** What `manager` owns after it changed `before` to `after` in any other way. */
export function updateFields(
  before: Json,
  after: Json,
  managers: Manager[],
  by: Pick<Manager, 'manager' | 'subresource' | 'time'>,
): Manager[] {
  const [old, now] = [leavesOf(before), leavesOf(after)];
  const changed = new Set(
    [...now.keys()].filter(
      key => !old.has(key) || !same(old.get(key)!.value, now.get(key)!.value),
    ),
  );
  const isMine = (m: Manager) =>
    m.operation === 'Update' &&
    m.manager === by.manager &&
    m.subresource === by.subresource;
  const kept = managers.map(m => ({
    ...m,
    fields: new Set(
      [...m.fields].filter(
        key => now.has(key) && (isMine(m) || !changed.has(key)),
      ),
    ),
  }));
  if (changed.size) {
    const mine = kept.find(isMine);
    if (mine) {
      changed.forEach(key => mine.fields.add(key));
      mine.time = by.time;
    } else kept.push({ ...by, operation: 'Update', fields: changed });
  }
  return kept.filter(m => m.fields.size);
}

/** RFC 7386. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isMap(patch)) return patch;
  const result = isMap(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
