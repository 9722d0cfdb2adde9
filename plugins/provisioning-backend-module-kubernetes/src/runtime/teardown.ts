import {
  KubernetesError,
  type KubernetesClient,
  type KubernetesObject,
} from '@rocket/kubernetes-node';
import type { UndoResult } from '@rocket/plugin-provisioning-node';
import { describe } from '../manifests';
import { Applier, referenceOf, REMOVAL_ORDER } from './Applier';
import { isDefaultAccount } from './marks';

const SOON_MS = 2_000;
const LATER_MS = 30_000;
const MAX_NAMED = 10;

/** Most namespaces are gone in seconds; one that takes long is looked at less and less often. */
export function pauseOf(deletedAt: string, now = Date.now()): number {
  const takes = now - Date.parse(deletedAt);
  return Math.min(Math.max(takes, SOON_MS), LATER_MS);
}

/** What Kubernetes' words about a namespace that does not go away mean. */
const CONDITIONS: Record<string, string> = {
  NamespaceDeletionDiscoveryFailure:
    'the cluster cannot list all of its kinds: an aggregated API (metrics, say) is down',
  NamespaceDeletionGroupVersionParsingFailure:
    'the cluster serves a kind whose version cannot be read',
  NamespaceDeletionContentFailure: 'some of its objects could not be deleted',
  NamespaceContentRemaining: 'objects are still in it',
  NamespaceFinalizersRemaining:
    'objects wait for the controllers that their finalizers name',
};

type Namespace = KubernetesObject & {
  status?: {
    conditions?: { type: string; status: string; message?: string }[];
  };
};

const finalizersOf = (object: KubernetesObject) =>
  object.metadata.finalizers?.join(', ') ?? '';

/** The kinds of the cluster are many: all of them are asked only about a namespace that is stuck. */
export async function leftIn(
  client: KubernetesClient,
  namespace: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const { resources } = await client.listResources({ signal });
  const kinds = resources.filter(
    ({ namespaced, verbs, plural }) =>
      namespaced &&
      verbs.includes('list') &&
      verbs.includes('delete') &&
      !plural.includes('/'),
  );
  const left: string[] = [];
  for (const { apiVersion, kind } of kinds) {
    if (left.length > MAX_NAMED) break;
    const { items } = await client
      .list({ apiVersion, kind, namespace, limit: MAX_NAMED }, { signal })
      .catch(() => ({ items: [] as KubernetesObject[] }));
    for (const item of items) {
      const finalizers = finalizersOf(item);
      left.push(
        `${kind} ${item.metadata.name}${
          finalizers ? ` (waits for ${finalizers})` : ''
        }`,
      );
    }
  }
  return left;
}

/** Why a namespace is still there, in words. Its finalizers are never patched away: that would strand what is in it. */
export async function explainTerminating(
  client: KubernetesClient,
  namespace: Namespace,
  signal?: AbortSignal,
): Promise<string> {
  const { name } = namespace.metadata;
  const reasons = (namespace.status?.conditions ?? [])
    .filter(({ status }) => status === 'True')
    .map(({ type }) => CONDITIONS[type])
    .filter(Boolean);
  const left = await leftIn(client, name!, signal);
  return [
    `the namespace ${name} is being deleted`,
    ...reasons,
    left.length
      ? `left in it: ${left.slice(0, MAX_NAMED).join(', ')}${
          left.length > MAX_NAMED ? ' and more' : ''
        }`
      : '',
  ]
    .filter(Boolean)
    .join('; ');
}

/**
 * Deletes a namespace with the given uid, and says how far that is. Call it
 * again while it answers `retry`.
 */
export async function removeNamespace(
  client: KubernetesClient,
  name: string,
  uid: string | undefined,
  signal?: AbortSignal,
): Promise<UndoResult> {
  const reference = { apiVersion: 'v1', kind: 'Namespace', name };
  const found = await client.get<Namespace>(reference, { signal });
  if (!found) return { outcome: 'done' };
  if (uid && found.metadata.uid !== uid)
    return {
      outcome: 'done',
      message: `${name} is another namespace by now; it was left alone`,
    };
  const { deletionTimestamp } = found.metadata;
  if (deletionTimestamp)
    return {
      outcome: 'retry',
      afterMs: pauseOf(deletionTimestamp),
      message: await explainTerminating(client, found, signal),
    };
  await client.delete(reference, { uid: found.metadata.uid, signal });
  return {
    outcome: 'retry',
    afterMs: SOON_MS,
    message: `the namespace ${name} is being deleted`,
  };
}

/**
 * Takes the service's objects away, one kind after the other: traffic first,
 * what others need last. One step each call, so that it is bounded in time.
 */
export async function removeObjects(
  client: KubernetesClient,
  service: string,
  namespace: string,
  signal?: AbortSignal,
): Promise<UndoResult> {
  const applier = new Applier(client, service, signal);
  let objects: KubernetesObject[];
  try {
    objects = (await applier.list(namespace)).filter(
      object => !isDefaultAccount(object),
    );
  } catch (error) {
    if (error instanceof KubernetesError && error.kind === 'not-found')
      return { outcome: 'done' };
    throw error;
  }
  if (!objects.length) return { outcome: 'done' };
  const going = objects.filter(({ metadata }) => metadata.deletionTimestamp);
  const rank = (object: KubernetesObject) => REMOVAL_ORDER.indexOf(object.kind);
  for (const object of [...objects].sort((a, b) => rank(a) - rank(b)))
    if (!object.metadata.deletionTimestamp)
      await applier.remove(referenceOf(object), object.metadata.uid);
  const stuck = going.filter(object => finalizersOf(object));
  return {
    outcome: 'retry',
    afterMs: stuck.length ? LATER_MS : SOON_MS,
    message: stuck.length
      ? `waits for ${stuck
          .slice(0, MAX_NAMED)
          .map(
            object => `${describe(object as never)} (${finalizersOf(object)})`,
          )
          .join(', ')}; the controllers that these finalizers name have to act`
      : `${objects.length} objects are being deleted`,
  };
}
