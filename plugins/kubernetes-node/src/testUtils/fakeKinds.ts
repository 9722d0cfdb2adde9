import type { Json } from './fakeFields';

/** A kind that the fake serves. */
export interface FakeKind {
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  /** Structural schema; only custom kinds have one here. */
  schema?: Json;
  /** Writes to the object leave `status` alone, and the other way round. */
  hasStatus: boolean;
}

const BUILT_IN: Record<string, string> = {
  v1: 'Namespace! Node! Pod Service ServiceAccount ConfigMap Secret Event ResourceQuota LimitRange PersistentVolumeClaim',
  'apps/v1': 'Deployment ReplicaSet StatefulSet DaemonSet',
  'autoscaling/v2': 'HorizontalPodAutoscaler',
  'batch/v1': 'Job CronJob',
  'networking.k8s.io/v1': 'NetworkPolicy Ingress',
  'policy/v1': 'PodDisruptionBudget',
  'rbac.authorization.k8s.io/v1':
    'Role RoleBinding ClusterRole! ClusterRoleBinding!',
  'apiextensions.k8s.io/v1': 'CustomResourceDefinition!',
};

const pluralOf = (kind: string) =>
  kind
    .toLowerCase()
    .replace(/y$/, 'ie')
    .replace(/(ss|x)$/, '$1e')
    .concat('s');

export const builtInKinds = (): FakeKind[] =>
  Object.entries(BUILT_IN).flatMap(([apiVersion, kinds]) =>
    kinds.split(' ').map(entry => {
      const kind = entry.replace('!', '');
      const [version, group = ''] = apiVersion.split('/').reverse();
      return {
        group,
        version,
        kind,
        plural: pluralOf(kind),
        namespaced: !entry.endsWith('!'),
        hasStatus: true,
      };
    }),
  );

export const kindsOfDefinition = ({ spec }: Json): FakeKind[] =>
  spec.versions
    .filter((version: Json) => version.served)
    .map((version: Json) => ({
      group: spec.group,
      version: version.name,
      kind: spec.names.kind,
      plural: spec.names.plural,
      namespaced: spec.scope === 'Namespaced',
      schema: version.schema?.openAPIV3Schema,
      hasStatus: Boolean(version.subresources?.status),
    }));

const typeOf = (value: Json) => {
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
};

/** Fields that a schema does not have, as `.spec.a`. */
export function unknownFields(schema: Json, value: Json, path = ''): string[] {
  if (!schema || schema['x-kubernetes-preserve-unknown-fields']) return [];
  if (Array.isArray(value))
    return value.flatMap((item, at) =>
      unknownFields(schema.items, item, `${path}[${at}]`),
    );
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const at = `${path}.${name}`;
    // The API's own, and not in the schemas of definitions.
    if (!path && ['apiVersion', 'kind', 'metadata'].includes(name)) return [];
    const known = schema.properties?.[name] ?? schema.additionalProperties;
    return known ? unknownFields(known, child, at) : [at];
  });
}

/** What a schema says against a value: `{reason, field, message}` as in a Status. */
export function schemaProblems(schema: Json, value: Json, path = ''): Json[] {
  if (!schema) return [];
  const problem = (reason: string, message: string, field = path) => [
    { reason, message, field },
  ];
  const type = typeOf(value);
  if (
    schema.type &&
    schema.type !== type &&
    !(schema.type === 'number' && type === 'integer')
  )
    return problem(
      'FieldValueTypeInvalid',
      `Invalid value: "${type}": must be of type ${schema.type}`,
    );
  if (schema.enum && !schema.enum.includes(value))
    return problem(
      'FieldValueNotSupported',
      `Unsupported value: ${JSON.stringify(
        value,
      )}: supported values: ${schema.enum
        .map((one: Json) => JSON.stringify(one))
        .join(', ')}`,
    );
  if (value < schema.minimum || value > schema.maximum)
    return problem(
      'FieldValueInvalid',
      `Invalid value: ${value}: must be from ${schema.minimum} to ${schema.maximum}`,
    );
  if (type === 'array')
    return value.flatMap((item: Json, at: number) =>
      schemaProblems(schema.items, item, `${path}[${at}]`),
    );
  if (type !== 'object') return [];
  const inside = (name: string) => (path ? `${path}.${name}` : name);
  return [
    ...(schema.required ?? [])
      .filter((name: string) => value[name] === undefined)
      .flatMap((name: string) =>
        problem('FieldValueRequired', 'Required value', inside(name)),
      ),
    ...Object.entries(schema.properties ?? {})
      .filter(([name]) => value[name] !== undefined)
      .flatMap(([name, child]) =>
        schemaProblems(child, value[name], inside(name)),
      ),
  ];
}
