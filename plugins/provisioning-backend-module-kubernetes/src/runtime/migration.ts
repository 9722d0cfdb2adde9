import type {
  KubernetesClient,
  KubernetesObject,
} from '@rocket/kubernetes-node';
import type { Manifest } from '../manifests';
import { referenceOf } from './Applier';
import { NotReadyError, pause, readinessOf, type PodState } from './readiness';

interface JobState extends KubernetesObject {
  status?: {
    conditions?: {
      type: string;
      status: string;
      reason?: string;
      message?: string;
    }[];
  };
}

const conditionOf = (job: JobState | undefined, type: string) =>
  job?.status?.conditions?.find(
    condition => condition.type === type && condition.status === 'True',
  );

/**
 * Runs the Job of a version once: one that completed stays so, one that failed
 * is made anew. Answers when it completed.
 *
 * @throws NotReadyError with the end of its log
 */
export async function runMigration(
  client: KubernetesClient,
  job: Manifest,
  options: {
    apply(): Promise<unknown>;
    deadlineMs: number;
    pollMs: number;
    now: () => number;
    signal?: AbortSignal;
  },
): Promise<void> {
  const { apply, signal, now } = options;
  const reference = referenceOf(job);
  const end = now() + options.deadlineMs;
  const look = () => client.get<JobState>(reference, { signal });
  const before = await look();
  if (conditionOf(before, 'Failed')) {
    await client.delete(reference, { uid: before!.metadata.uid, signal });
    while (await look()) {
      signal?.throwIfAborted();
      if (now() >= end)
        throw new NotReadyError(
          `the failed migration ${reference.name} could not be removed`,
          [],
        );
      await pause(options.pollMs, signal);
    }
  }
  await apply();
  for (;;) {
    signal?.throwIfAborted();
    const found = await look();
    if (conditionOf(found, 'Complete')) return;
    const pods = await client.listAll<PodState>(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: reference.namespace,
        labelSelector: { 'batch.kubernetes.io/job-name': reference.name },
      },
      { signal },
    );
    const failed = conditionOf(found, 'Failed');
    const late = now() >= end;
    if (failed || late) {
      const { problems } = readinessOf(
        { ...job, status: {}, spec: { replicas: 1 } },
        pods,
      );
      const why = [
        failed?.message ?? (late ? 'it did not end in time' : ''),
        ...problems.map(({ message }) => message),
        await lastWords(client, pods, signal),
      ].filter(Boolean);
      throw new NotReadyError(
        `the migration failed: ${why.join('; ')}`,
        problems,
      );
    }
    await pause(options.pollMs, signal);
  }
}

/** The end of the newest pod's log; empty when nobody has it. */
export async function lastWords(
  client: KubernetesClient,
  pods: KubernetesObject[],
  signal?: AbortSignal,
): Promise<string> {
  const newest = [...pods].sort((a, b) =>
    (b.metadata.creationTimestamp ?? '').localeCompare(
      a.metadata.creationTimestamp ?? '',
    ),
  )[0];
  if (!newest) return '';
  const { namespace, name } = newest.metadata;
  const text = await client
    .logs({ namespace: namespace!, name: name! }, { tailLines: 5, signal })
    .catch(() => '');
  return text.trim().split('\n').slice(-3).join(' | ').slice(0, 500);
}
