import type { JsonObject } from '@backstage/types';
import { KubernetesError } from '../errors';
import type { KubernetesClient, KubernetesObject, ObjectWatch } from '../types';

/**
 * What becomes of a pod. `pending`: left alone; `not-ready`: runs, its probe
 * fails; `failed` and `succeeded`: its containers ended.
 */
export type PodBehaviour =
  | 'ready'
  | 'not-ready'
  | 'image-pull-backoff'
  | 'crash-loop'
  | 'failed'
  | 'succeeded'
  | 'pending';

interface Pod extends KubernetesObject {
  spec: { containers: { name: string; image: string }[] };
}

const PHASES: Record<PodBehaviour, string> = {
  ready: 'Running',
  'not-ready': 'Running',
  'crash-loop': 'Running',
  'image-pull-backoff': 'Pending',
  failed: 'Failed',
  succeeded: 'Succeeded',
  pending: 'Pending',
};

/**
 * Plays the kubelet for the pods of one namespace on a control plane without
 * nodes: it writes the status that a kubelet would, so that the real
 * controllers go on from there (ReplicaSets count ready pods, Deployments
 * become available, Jobs complete). It starts no container, has no logs, and
 * its pods are on no node, so that they are in no EndpointSlice.
 */
export class KubeletSimulator {
  readonly #client: KubernetesClient;
  readonly #watch: ObjectWatch<Pod>;
  readonly #done = new Map<string, PodBehaviour>();
  readonly #errors: Error[] = [];
  #behaviour: (pod: Pod) => PodBehaviour;
  #work: Promise<void> = Promise.resolve();

  constructor(
    client: KubernetesClient,
    namespace: string,
    behaviour: (pod: Pod) => PodBehaviour = () => 'ready',
  ) {
    this.#client = client;
    this.#behaviour = behaviour;
    this.#watch = client.watch<Pod>(
      { apiVersion: 'v1', kind: 'Pod', namespace },
      {
        onChange: ({ type, object }) => {
          if (type === 'deleted') this.#done.delete(object.metadata.uid!);
          else this.#treat(object);
        },
      },
    );
  }

  /** From now on; pods that are there already change too. */
  behave(behaviour: (pod: Pod) => PodBehaviour): void {
    this.#behaviour = behaviour;
    for (const pod of this.#watch.items()) this.#treat(pod);
  }

  /** @throws what went wrong meanwhile */
  async stop(): Promise<void> {
    await this.#watch.stop();
    await this.#work;
    if (this.#errors.length) throw this.#errors[0];
  }

  #treat(pod: Pod): void {
    const { uid, name, namespace, deletionTimestamp } = pod.metadata;
    const behaviour = this.#behaviour(pod);
    if (deletionTimestamp || this.#done.get(uid!) === behaviour) return;
    this.#done.set(uid!, behaviour);
    if (behaviour === 'pending') return;
    // One after the other: a later behaviour must not be overtaken.
    this.#work = this.#work.then(async () => {
      try {
        await this.#client.mergePatch(
          { apiVersion: 'v1', kind: 'Pod', namespace, name: name! },
          { metadata: { uid: uid! }, status: statusOf(pod, behaviour) },
          { subresource: 'status' },
        );
      } catch (error) {
        const gone =
          error instanceof KubernetesError &&
          ['not-found', 'conflict'].includes(error.kind);
        if (!gone) this.#errors.push(error as Error);
      }
    });
  }
}

function containerState(behaviour: PodBehaviour, since: string): JsonObject {
  switch (behaviour) {
    case 'image-pull-backoff':
      return {
        waiting: {
          reason: 'ImagePullBackOff',
          message: 'Back-off pulling image',
        },
      };
    case 'crash-loop':
      return {
        waiting: {
          reason: 'CrashLoopBackOff',
          message: 'back-off 5m0s restarting failed container',
        },
      };
    case 'failed':
    case 'succeeded':
      return {
        terminated: {
          exitCode: behaviour === 'failed' ? 1 : 0,
          reason: behaviour === 'failed' ? 'Error' : 'Completed',
          startedAt: since,
          finishedAt: since,
        },
      };
    default:
      return { running: { startedAt: since } };
  }
}

function statusOf(pod: Pod, behaviour: PodBehaviour): JsonObject {
  // An hour ago: minReadySeconds is over at once.
  const since = new Date(Date.now() - 3_600_000).toISOString();
  const stamp = `${since.slice(0, 19)}Z`;
  const ready = behaviour === 'ready';
  const condition = (type: string, holds: boolean, reason?: string) => ({
    type,
    status: holds ? 'True' : 'False',
    lastTransitionTime: stamp,
    ...(reason ? { reason } : {}),
  });
  const waits = ready ? undefined : 'ContainersNotReady';
  return {
    phase: PHASES[behaviour],
    startTime: stamp,
    conditions: [
      condition('PodScheduled', true),
      condition('Initialized', true),
      condition('ContainersReady', ready, waits),
      condition('Ready', ready, waits),
    ],
    containerStatuses: pod.spec.containers.map(({ name, image }) => ({
      name,
      image,
      imageID: '',
      ready,
      started: ready,
      restartCount: behaviour === 'crash-loop' ? 5 : 0,
      state: containerState(behaviour, stamp),
    })),
  };
}
