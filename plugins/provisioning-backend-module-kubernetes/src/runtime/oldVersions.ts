import type { KubernetesClient } from '@rocket/kubernetes-node';
import { describe } from '../manifests';
import { Applier } from './Applier';
import { MARKS } from './marks';
import type { DeploymentState } from './readiness';

/** Takes away versions whose time without requests is over. @returns what was removed */
export async function removeOldVersions(
  client: KubernetesClient,
  now: number,
  signal?: AbortSignal,
): Promise<string[]> {
  const removed: string[] = [];
  const all = await client.listAll<DeploymentState>(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      labelSelector: { [MARKS.managedBy]: 'rocket' },
    },
    { signal },
  );
  for (const deployment of all) {
    const {
      namespace,
      name,
      labels = {},
      annotations,
      uid,
    } = deployment.metadata;
    const at = Date.parse(annotations?.[MARKS.retireAt] ?? '');
    if (!(at <= now)) continue;
    const services = await client.listAll(
      {
        apiVersion: 'v1',
        kind: 'Service',
        namespace,
        labelSelector: { [MARKS.service]: labels[MARKS.service] ?? '' },
      },
      { signal },
    );
    // It has the requests again.
    if (
      services.some(
        ({ spec }) =>
          (spec as any)?.selector?.[MARKS.colour] === labels[MARKS.colour],
      )
    )
      continue;
    const applier = new Applier(client, labels[MARKS.service] ?? '', signal);
    for (const kind of ['HorizontalPodAutoscaler', 'Deployment'] as const) {
      const reference = {
        apiVersion: kind === 'Deployment' ? 'apps/v1' : 'autoscaling/v2',
        kind,
        namespace,
        name: name!,
      };
      await applier.remove(reference, kind === 'Deployment' ? uid : undefined);
    }
    removed.push(
      `${namespace}/${describe({ ...deployment, kind: 'Deployment' })}`,
    );
  }
  return removed;
}
