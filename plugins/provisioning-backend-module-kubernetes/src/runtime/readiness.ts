import type {
  KubernetesClient,
  KubernetesObject,
} from '@rocket/kubernetes-node';

type Condition = {
  type: string;
  status: string;
  reason?: string;
  message?: string;
};

/** Deployment as far as readiness goes. */
export interface DeploymentState extends KubernetesObject {
  spec: { replicas?: number };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    conditions?: Condition[];
  };
}

/** Pod as far as readiness goes. */
export interface PodState extends KubernetesObject {
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: Condition[];
    containerStatuses?: ContainerState[];
    initContainerStatuses?: ContainerState[];
  };
}

interface ContainerState {
  name: string;
  image?: string;
  restartCount?: number;
  ready?: boolean;
  state?: {
    waiting?: { reason?: string; message?: string };
    terminated?: { reason?: string; exitCode?: number };
  };
  lastState?: { terminated?: { reason?: string; exitCode?: number } };
}

/** Something that keeps a version from being ready. */
export interface Problem {
  /** Kubernetes' own word. */
  reason: string;
  /** For the service's owner: what is wrong, and where to look. */
  message: string;
  /** How long it may last until it is taken for the end, in milliseconds; `Infinity`: until the deadline. */
  patienceMs: number;
}

export interface Readiness {
  ready: boolean;
  problems: Problem[];
  /** `2 of 3 instances are ready`. */
  progress: string;
}

const SOON = 10_000;

function ofContainer(container: ContainerState): Problem | undefined {
  const { name, image, state, lastState, restartCount = 0 } = container;
  const reason = state?.waiting?.reason ?? '';
  const ended = lastState?.terminated ?? state?.terminated;
  const exit =
    ended?.reason === 'OOMKilled'
      ? 'it needed more memory than its limit (OOMKilled)'
      : ended && `it ended with code ${ended.exitCode}`;
  switch (reason) {
    case 'ImagePullBackOff':
    case 'ErrImagePull':
      return {
        reason,
        message: `the image ${
          image ?? ''
        } of container ${name} cannot be pulled: is it in the registry, and may the cluster read it?`,
        patienceMs: reason === 'ErrImagePull' ? 3 * SOON : SOON,
      };
    case 'InvalidImageName':
      return {
        reason,
        message: `the image ${
          image ?? ''
        } of container ${name} is no valid name`,
        patienceMs: 0,
      };
    case 'CrashLoopBackOff':
      return {
        reason,
        message: `container ${name} ends again and again after its start${
          exit ? `; ${exit}` : ''
        }. Its log says why`,
        patienceMs: restartCount > 2 ? 0 : SOON,
      };
    case 'CreateContainerConfigError':
    case 'CreateContainerError':
      return {
        reason,
        message: `container ${name} cannot be made${
          state?.waiting?.message ? `: ${state.waiting.message}` : ''
        }. Does the SecretStore have what the ExternalSecrets ask for?`,
        patienceMs: 3 * SOON,
      };
    default:
  }
  if (restartCount > 2 && !container.ready)
    return {
      reason: 'Restarting',
      message: `container ${name} was restarted ${restartCount} times${
        exit ? `; ${exit}` : ''
      }`,
      patienceMs: SOON,
    };
  return undefined;
}

function ofPod(pod: PodState): Problem[] {
  const { status = {}, metadata } = pod;
  if (metadata.deletionTimestamp) return [];
  const problems = [
    ...(status.initContainerStatuses ?? []),
    ...(status.containerStatuses ?? []),
  ].flatMap(container => ofContainer(container) ?? []);
  const scheduled = status.conditions?.find(
    ({ type }) => type === 'PodScheduled',
  );
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable')
    problems.push({
      reason: 'Unschedulable',
      message: `no node has room for an instance${
        scheduled.message ? `: ${scheduled.message}` : ''
      }`,
      patienceMs: Infinity,
    });
  if (status.phase === 'Failed' && status.reason === 'Evicted')
    problems.push({
      reason: 'Evicted',
      message: `an instance was evicted${
        status.message ? `: ${status.message}` : ''
      }`,
      patienceMs: Infinity,
    });
  return problems;
}

function ofDeployment({ status = {} }: DeploymentState): Problem[] {
  return (status.conditions ?? []).flatMap((condition): Problem[] => {
    const { type, reason = '', message = '' } = condition;
    if (type === 'ReplicaFailure' && condition.status === 'True') {
      if (/exceeded quota/.test(message))
        return [
          {
            reason: 'QuotaExceeded',
            message: `the quota of the namespace is used up: ${message}`,
            patienceMs: SOON,
          },
        ];
      if (/violates PodSecurity/.test(message))
        return [
          {
            reason: 'PodSecurity',
            message: `the namespace's pod security refuses its pods: ${message}`,
            patienceMs: 0,
          },
        ];
      return [
        {
          reason: reason || type,
          message: `its pods cannot be made: ${message}`,
          patienceMs: SOON,
        },
      ];
    }
    if (
      type === 'Progressing' &&
      condition.status === 'False' &&
      reason === 'ProgressDeadlineExceeded'
    )
      return [
        {
          reason,
          message:
            'its instances were not ready within its progressDeadlineSeconds: does its readiness probe answer?',
          patienceMs: 0,
        },
      ];
    return [];
  });
}

/** Whether a Deployment is as it is meant to be, and what keeps it from that. */
export function readinessOf(
  deployment: DeploymentState,
  pods: PodState[],
): Readiness {
  const { spec, status = {}, metadata } = deployment;
  const wanted = spec.replicas ?? 1;
  const available = status.availableReplicas ?? 0;
  const ready =
    (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    (status.updatedReplicas ?? 0) >= wanted &&
    available >= wanted &&
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0);
  const problems = ready
    ? []
    : [...ofDeployment(deployment), ...pods.flatMap(ofPod)];
  // One of a kind is enough for people.
  const byReason = new Map(problems.map(item => [item.reason, item]));
  return {
    ready,
    problems: [...byReason.values()],
    progress: `${available} of ${wanted} instances are ready`,
  };
}

/** A version that will not get ready, or did not in time. */
export class NotReadyError extends Error {
  name = 'NotReadyError';
  readonly problems: Problem[];

  constructor(message: string, problems: Problem[]) {
    super(message);
    this.problems = problems;
  }
}

const sentence = (problems: Problem[]) =>
  problems.map(({ message }) => message).join('; ');

export interface ReadinessOptions {
  deadlineMs: number;
  pollMs: number;
  signal?: AbortSignal;
  now: () => number;
  onProgress?(message: string): Promise<void> | void;
}

/** Watches one Deployment until it is ready, or cannot get ready any more. */
export class ReadinessWait {
  readonly #client: KubernetesClient;
  readonly #namespace: string;
  readonly #name: string;
  readonly #since = new Map<string, number>();

  constructor(client: KubernetesClient, namespace: string, name: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#name = name;
  }

  async look(signal?: AbortSignal): Promise<Readiness | undefined> {
    const deployment = await this.#client.get<DeploymentState>(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        namespace: this.#namespace,
        name: this.#name,
      },
      { signal },
    );
    if (!deployment) return undefined;
    const selector = (deployment.spec as any).selector?.matchLabels ?? {};
    const pods = await this.#client.listAll<PodState>(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: this.#namespace,
        labelSelector: selector,
      },
      { signal },
    );
    return readinessOf(deployment, pods);
  }

  /** Those problems that have lasted longer than they may. */
  #lasting(problems: Problem[], now: number): Problem[] {
    for (const reason of this.#since.keys())
      if (!problems.some(problem => problem.reason === reason))
        this.#since.delete(reason);
    return problems.filter(({ reason, patienceMs }) => {
      const since = this.#since.get(reason) ?? now;
      this.#since.set(reason, since);
      return now - since >= patienceMs;
    });
  }

  /** @throws NotReadyError in words; whatever the signal says */
  async untilReady(options: ReadinessOptions): Promise<void> {
    const { now, signal } = options;
    const end = now() + options.deadlineMs;
    let told = '';
    for (;;) {
      signal?.throwIfAborted();
      const found = await this.look(signal);
      if (!found)
        throw new NotReadyError(`${this.#name} was removed meanwhile`, []);
      if (found.ready) return;
      const { problems, progress } = found;
      const lasting = this.#lasting(problems, now());
      if (lasting.length)
        throw new NotReadyError(
          `${this.#name} will not get ready: ${sentence(lasting)}`,
          lasting,
        );
      if (now() >= end)
        throw new NotReadyError(
          `${this.#name} was not ready within ${Math.round(
            options.deadlineMs / 1000,
          )} s: ${progress}${problems.length ? `; ${sentence(problems)}` : ''}`,
          problems,
        );
      const message = [progress, sentence(problems)].filter(Boolean).join('; ');
      if (message !== told) await options.onProgress?.(message);
      told = message;
      await pause(options.pollMs, signal);
    }
  }
}

/** Ends early, without an error, when the signal aborts: callers ask it next. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>(resolve => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
    if (signal?.aborted) done();
  });
}
