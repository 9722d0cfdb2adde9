/** A complete entity ref, lower case as the catalog compares them. */
export interface Ref {
  kind: string;
  namespace: string;
  name: string;
}

const KIND = /^[a-zA-Z][a-zA-Z0-9]{0,62}$/;
const NAMESPACE = /^[a-z0-9]+(?:-+[a-z0-9]+)*$/i;
const NAME = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

/** Reads `[kind:][namespace/]name`; undefined when it is none. */
export function parseRef(
  text: string,
  defaults: { kind?: string; namespace?: string },
): Ref | undefined {
  const match = /^(?:([^:/]+):)?(?:([^:/]+)\/)?([^:/]+)$/.exec(text);
  if (!match) return undefined;
  const kind = match[1] ?? defaults.kind;
  const namespace = match[2] ?? defaults.namespace ?? 'default';
  const name = match[3];
  if (
    !kind ||
    !KIND.test(kind) ||
    !NAMESPACE.test(namespace) ||
    namespace.length > 63 ||
    !NAME.test(name) ||
    name.length > 63
  )
    return undefined;
  return {
    kind: kind.toLowerCase(),
    namespace: namespace.toLowerCase(),
    name: name.toLowerCase(),
  };
}

export function formatRef({ kind, namespace, name }: Ref): string {
  return `${kind}:${namespace}/${name}`;
}

/** Ref of an entity whose kind, name and namespace are texts; undefined for anything else. */
export function refOf(entity: any): string | undefined {
  const { kind, metadata } = entity ?? {};
  if (typeof kind !== 'string' || typeof metadata?.name !== 'string')
    return undefined;
  const namespace = metadata.namespace ?? 'default';
  if (typeof namespace !== 'string') return undefined;
  return `${kind}:${namespace}/${metadata.name}`.toLowerCase();
}
