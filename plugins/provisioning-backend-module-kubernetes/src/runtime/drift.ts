import {
  KubernetesError,
  type KubernetesObject,
} from '@rocket/kubernetes-node';
import type { Observation } from '@rocket/plugin-provisioning-common';
import { describe, isRecord, type Manifest } from '../manifests';
import { isDefaultAccount, isOurs, MARKS } from './marks';
import type { Applier } from './Applier';

type Difference = NonNullable<Observation['differences']>[number];

const MAX = 20;

/** Fields that the server or a controller writes all the time. */
const NOT_COMPARED = new Set([
  'metadata.managedFields',
  'metadata.resourceVersion',
  'metadata.generation',
  'metadata.uid',
  'metadata.creationTimestamp',
  'status',
]);
const OWN_MARKS: string[] = [MARKS.retireAt, MARKS.replicas, MARKS.run];

const show = (value: unknown) => {
  const text =
    typeof value === 'string' ? value : JSON.stringify(value) ?? 'nothing';
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
};

const itemKey = (value: unknown) =>
  isRecord(value) ? value.name ?? value.mountPath ?? value.topologyKey : value;

function compare(
  intended: unknown,
  found: unknown,
  field: string,
  differences: Difference[],
): void {
  if (NOT_COMPARED.has(field) || OWN_MARKS.some(mark => field.endsWith(mark)))
    return;
  if (isRecord(intended) && isRecord(found)) {
    for (const key of new Set([
      ...Object.keys(intended),
      ...Object.keys(found),
    ]))
      compare(
        intended[key],
        found[key],
        field ? `${field}.${key}` : key,
        differences,
      );
    return;
  }
  if (Array.isArray(intended) && Array.isArray(found)) {
    const named = [...intended, ...found].every(
      item => itemKey(item) !== undefined && isRecord(item),
    );
    const keys = named
      ? [...new Set([...intended, ...found].map(itemKey))]
      : [...Array(Math.max(intended.length, found.length)).keys()];
    for (const key of keys) {
      const pick = (list: unknown[]) =>
        named ? list.find(item => itemKey(item) === key) : list[Number(key)];
      compare(pick(intended), pick(found), `${field}[${key}]`, differences);
    }
    return;
  }
  if (JSON.stringify(intended) !== JSON.stringify(found))
    differences.push({
      field,
      intended: show(intended),
      found: show(found),
    });
}

/** In which fields an object is not as an apply would make it. */
export function differencesOf(
  intended: KubernetesObject,
  found: KubernetesObject,
): Difference[] {
  const differences: Difference[] = [];
  compare(intended, found, '', differences);
  return differences.map(item => ({
    ...item,
    field: `${describe(found)}: ${item.field}`,
  }));
}

/** Compares what is on the cluster with what a dry-run apply of the release would make of it. */
export async function observeObjects(
  applier: Applier,
  objects: Manifest[],
  service: string,
  now: Date,
): Promise<Observation> {
  const observedAt = now.toISOString();
  const differences: Difference[] = [];
  let present = 0;
  for (const object of objects) {
    // Jobs are cleaned away when they are done.
    if (object.kind === 'Job') continue;
    const found = await applier.find(object);
    if (!found || (!isOurs(found, service) && !isDefaultAccount(found))) {
      differences.push({
        field: describe(object),
        intended: 'to be there',
        found: found ? 'is not made by Rocket' : 'is not there',
      });
      continue;
    }
    if (object.kind !== 'Namespace' && !isDefaultAccount(object)) present++;
    try {
      differences.push(...differencesOf(await applier.preview(object), found));
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.kind !== 'validation')
        throw error;
      // Together with what somebody else added it is not valid any more.
      differences.push({
        field: describe(object),
        intended: 'what the manifests say',
        found: show(error.message),
      });
    }
  }
  if (present === 0) return { state: 'absent', observedAt };
  if (!differences.length) return { state: 'present', observedAt };
  return {
    state: 'drifted',
    differences: differences.slice(0, MAX),
    ...(differences.length > MAX
      ? { message: `and ${differences.length - MAX} more differences` }
      : {}),
    observedAt,
  };
}
