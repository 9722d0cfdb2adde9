import { InputError, NotFoundError } from '@backstage/errors';
import type {
  KubernetesClient,
  KubernetesObject,
} from '@rocket/kubernetes-node';
import { referenceOf } from './Applier';
import { MARKS, serviceLabels } from './marks';
import { pause, type DeploymentState } from './readiness';
import type { KubernetesSettings, Place } from './settings';

/** Without an autoscaler. */
const MOST = 50;
const EXTERNAL_SECRET = {
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
};

/** The Deployment that the service's Service chooses. */
export async function activeDeployment(
  client: KubernetesClient,
  service: string,
  place: Place,
  signal?: AbortSignal,
): Promise<DeploymentState | undefined> {
  const query = (apiVersion: string, kind: string) =>
    client.listAll<DeploymentState>(
      {
        apiVersion,
        kind,
        namespace: place.namespace,
        labelSelector: serviceLabels(service),
      },
      { signal },
    );
  const colours = (await query('v1', 'Service')).map(
    ({ spec }) => (spec as any).selector?.[MARKS.colour],
  );
  return (await query('apps/v1', 'Deployment')).find(({ metadata }) =>
    colours.includes(metadata.labels?.[MARKS.colour]),
  );
}

async function requireActive(
  client: KubernetesClient,
  service: string,
  place: Place,
  signal: AbortSignal,
): Promise<DeploymentState> {
  const active = await activeDeployment(client, service, place, signal);
  if (!active)
    throw new NotFoundError(`${service} does not run in ${place.environment}`);
  return active;
}

export async function setReplicas(
  client: KubernetesClient,
  deployment: DeploymentState,
  replicas: number,
  signal?: AbortSignal,
): Promise<void> {
  await client.mergePatch(
    referenceOf(deployment),
    { spec: { replicas } },
    { subresource: 'scale', signal },
  );
}

/**
 * Sets the least number of instances; the autoscaler goes on from there, until
 * the next deployment brings the manifests' number back.
 *
 * @throws InputError outside of what the manifests allow
 */
export async function scaleService(
  client: KubernetesClient,
  service: string,
  place: Place,
  replicas: number,
  signal: AbortSignal,
): Promise<void> {
  const active = await requireActive(client, service, place, signal);
  const scalers = await client.listAll<KubernetesObject & { spec: any }>(
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      namespace: place.namespace,
      labelSelector: serviceLabels(service),
    },
    { signal },
  );
  const scaler = scalers.find(
    ({ spec }) => spec.scaleTargetRef?.name === active.metadata.name,
  );
  const most = scaler?.spec.maxReplicas ?? MOST;
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > most)
    throw new InputError(
      `replicas: must be a whole number from 1 to ${most}, the most that the manifests of ${place.environment} allow`,
    );
  if (scaler)
    await client.mergePatch(
      referenceOf(scaler),
      { spec: { minReplicas: replicas } },
      { signal },
    );
  await setReplicas(client, active, replicas, signal);
}

/**
 * Has the External Secrets Operator read its store again, then starts the
 * instances anew, one after the other.
 *
 * @throws when the operator does not act in time; the instances go on then
 */
export async function renewCredentials(
  client: KubernetesClient,
  service: string,
  place: Place,
  settings: Pick<KubernetesSettings, 'secretTimeoutMs' | 'pollMs'>,
  signal: AbortSignal,
): Promise<void> {
  const active = await requireActive(client, service, place, signal);
  const at = new Date().toISOString();
  if (place.externalSecrets)
    await refreshSecrets(client, service, place, settings, at, signal);
  await client.mergePatch(
    referenceOf(active),
    {
      spec: {
        template: { metadata: { annotations: { [MARKS.rotatedAt]: at } } },
      },
    },
    { signal },
  );
}

async function refreshSecrets(
  client: KubernetesClient,
  service: string,
  place: Place,
  settings: Pick<KubernetesSettings, 'secretTimeoutMs' | 'pollMs'>,
  at: string,
  signal: AbortSignal,
): Promise<void> {
  const query = {
    ...EXTERNAL_SECRET,
    namespace: place.namespace,
    labelSelector: serviceLabels(service),
  };
  const refreshedAt = (secret: KubernetesObject) =>
    (secret.status as any)?.refreshTime;
  const before = new Map<string, unknown>();
  for (const secret of await client.listAll(query, { signal })) {
    before.set(secret.metadata.name!, refreshedAt(secret));
    await client.mergePatch(
      referenceOf(secret),
      { metadata: { annotations: { 'force-sync': at } } },
      { signal },
    );
  }
  const end = Date.now() + settings.secretTimeoutMs;
  for (;;) {
    const secrets = await client.listAll(query, { signal });
    const old = secrets.filter(secret =>
      [undefined, before.get(secret.metadata.name!)].includes(
        refreshedAt(secret),
      ),
    );
    if (!old.length) return;
    if (Date.now() >= end)
      throw new Error(
        `The External Secrets Operator did not renew ${old
          .map(({ metadata }) => metadata.name)
          .join(', ')}; the instances were not started anew`,
      );
    await pause(settings.pollMs, signal);
    signal.throwIfAborted();
  }
}
