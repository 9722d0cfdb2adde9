import type { Json } from './fakeFields';
import type { FakeKind } from './fakeKinds';
import type { Target } from './fakeObjects';
import type { FakeStore } from './fakeStore';
import { matcher } from './fakeWatches';
import { Refusal } from './Refusal';

/** What `/apis` answers. */
export function groupsOf(store: FakeStore): Json[] {
  const groups = [...new Set(store.kinds.map(k => k.group))].filter(Boolean);
  return groups.map(name => ({
    name,
    versions: [
      ...new Set(store.kinds.filter(k => k.group === name).map(k => k.version)),
    ].map(version => ({ groupVersion: `${name}/${version}`, version })),
  }));
}

/** What a path is about. */
export function routeOf(
  store: FakeStore,
  path: string,
): Omit<Target, 'name'> & { name?: string } {
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const [group, version] =
    parts[0] === 'api' ? ['', parts[1]] : [parts[1], parts[2]];
  let rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  let namespace: string | undefined;
  const find = (plural: string, namespaced?: boolean) =>
    store.kinds.find(
      (k: FakeKind) =>
        k.group === group &&
        k.version === version &&
        k.plural === plural &&
        (namespaced === undefined || k.namespaced === namespaced),
    );
  if (rest[0] === 'namespaces' && rest.length > 2 && find(rest[2], true)) {
    namespace = rest[1];
    rest = rest.slice(2);
  }
  const kind = find(rest[0]);
  if (!kind)
    throw new Refusal(
      404,
      undefined,
      'the server could not find the requested resource',
    );
  return { kind, namespace, name: rest[1], subresource: rest[2] };
}

export function pageOf(
  store: FakeStore,
  query: Record<string, string>,
  { kind, namespace }: Target,
): Json {
  const matches = matcher(query);
  const all = store.list(kind, namespace).filter(matches);
  const [from, version] = query.continue
    ? JSON.parse(Buffer.from(query.continue, 'base64').toString())
    : [0, store.version];
  if (version < store.oldest)
    throw new Refusal(
      410,
      'Expired',
      'The provided continue parameter is too old',
    );
  const to = from + Number(query.limit || Infinity);
  return {
    kind: `${kind.kind}List`,
    metadata: {
      resourceVersion: String(version),
      ...(to < all.length
        ? {
            continue: Buffer.from(JSON.stringify([to, version])).toString(
              'base64',
            ),
          }
        : {}),
    },
    // As a real one, items do not say what they are.
    items: all
      .slice(from, to)
      .map(({ apiVersion: _a, kind: _k, ...item }) => item),
  };
}
