import { FIELD_MANAGER, type KubernetesObject } from '@rocket/kubernetes-node';
import type { JsonObject, JsonValue } from '@backstage/types';
import { isRecord, type Manifest } from '../manifests';

/** The value of an item of a list that `k:{…}` or `v:…` of a field set names. */
function itemOf(list: unknown, key: string): unknown {
  if (!Array.isArray(list)) return undefined;
  const wanted = JSON.parse(key.slice(2));
  if (key.startsWith('v:')) return list.find(item => item === wanted);
  if (key.startsWith('i:')) return list[wanted];
  return list.find(
    item =>
      isRecord(item) &&
      Object.entries(wanted).every(([name, value]) => item[name] === value),
  );
}

/** Reads `fieldsV1` of managed fields: which parts of `value` the set holds. */
function pick(value: unknown, fields: JsonObject): JsonValue | undefined {
  const keys = Object.keys(fields).filter(key => key !== '.');
  if (keys.length === 0) return value as JsonValue;
  if (keys.some(key => !key.startsWith('f:'))) {
    return keys.flatMap(key => {
      const item = itemOf(value, key);
      const picked =
        item === undefined ? undefined : pick(item, fields[key] as JsonObject);
      return picked === undefined ? [] : [picked];
    });
  }
  if (!isRecord(value)) return undefined;
  const result: JsonObject = {};
  for (const key of keys) {
    const name = key.slice(2);
    if (!Object.hasOwn(value, name)) continue;
    const picked = pick(value[name], fields[key] as JsonObject);
    if (picked !== undefined) result[name] = picked;
  }
  return result;
}

/**
 * What Rocket applied of an object, from `metadata.managedFields`: applied
 * again, it puts the object back to that. Without what the server or others
 * added.
 */
export function ownedPart(object: KubernetesObject): Manifest {
  const { apiVersion, kind, metadata } = object;
  const entry = metadata.managedFields?.find(
    field =>
      field.manager === FIELD_MANAGER &&
      field.operation === 'Apply' &&
      !field.subresource,
  );
  const owned = entry?.fieldsV1
    ? (pick(object, entry.fieldsV1) as JsonObject)
    : {};
  return {
    ...owned,
    apiVersion,
    kind,
    metadata: {
      ...(owned.metadata as JsonObject | undefined),
      name: metadata.name!,
      ...(metadata.namespace ? { namespace: metadata.namespace } : {}),
    },
  } as Manifest;
}
