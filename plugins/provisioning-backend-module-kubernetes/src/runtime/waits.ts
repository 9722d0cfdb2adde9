import { InputError } from '@backstage/errors';
import type {
  KubernetesClient,
  KubernetesObject,
} from '@rocket/kubernetes-node';
import { describe, type Manifest } from '../manifests';
import { referenceOf } from './Applier';
import { isOurs } from './marks';
import { NotReadyError, pause } from './readiness';
import type { Release } from './release';
import { explainTerminating } from './teardown';

/** How long to wait, and how often to look; in milliseconds. */
export interface Bounds {
  deadlineMs: number;
  pollMs: number;
  now: () => number;
  signal?: AbortSignal;
}

/** A namespace of the service that is on its way out is waited for, in bounds. */
export async function untilNotGoing(
  client: KubernetesClient,
  { service, place }: Release,
  { deadlineMs, pollMs, now, signal }: Bounds,
): Promise<KubernetesObject | undefined> {
  const reference = {
    apiVersion: 'v1',
    kind: 'Namespace',
    name: place.namespace,
  };
  const end = now() + deadlineMs;
  for (;;) {
    const found = await client.get(reference, { signal });
    if (!found?.metadata.deletionTimestamp) return found;
    if (!isOurs(found, service) || now() >= end)
      throw new InputError(
        `${await explainTerminating(
          client,
          found,
          signal,
        )}. Wait until it is gone, or name another one`,
      );
    await pause(pollMs, signal);
    signal?.throwIfAborted();
  }
}

/** Secrets themselves are not read: their operator says whether it made them. */
export async function awaitSecrets(
  client: KubernetesClient,
  secrets: Manifest[],
  { deadlineMs, pollMs, now, signal }: Bounds,
): Promise<void> {
  const end = now() + deadlineMs;
  for (const secret of secrets) {
    for (;;) {
      signal?.throwIfAborted();
      const found = (await client.get(referenceOf(secret), {
        signal,
      })) as any;
      const condition = found?.status?.conditions?.find(
        ({ type }: { type: string }) => type === 'Ready',
      );
      if (condition?.status === 'True') break;
      if (now() >= end)
        throw new NotReadyError(
          `there is no Secret for ${describe(secret)}: ${
            condition?.message
              ? String(condition.message).slice(0, 300)
              : 'nobody treated it; does the External Secrets Operator run, and has the namespace its SecretStore?'
          }`,
          [],
        );
      await pause(pollMs, signal);
    }
  }
}
