import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { parseEntityRef } from '@backstage/catalog-model';
import { InputError } from '@backstage/errors';
import {
  KubernetesError,
  type KubernetesClient,
  type KubernetesService,
} from '@rocket/kubernetes-node';
import type {
  Observation,
  ServiceLog,
} from '@rocket/plugin-provisioning-common';
import type {
  PhaseListener,
  Runtime,
  RuntimeChange,
  RuntimeEndpoint,
  RuntimeTarget,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import { readManifestFiles } from '../manifests';
import { Applier, referenceOf } from './Applier';
import { BlueGreen, type GateAnswer } from './BlueGreen';
import {
  activeDeployment,
  renewCredentials,
  scaleService,
  setReplicas,
} from './dayTwo';
import { observeObjects } from './drift';
import { removeOldVersions } from './oldVersions';
import { isOurs, MARKS, ROCKET, serviceLabels } from './marks';
import { readinessOf, type DeploymentState, type PodState } from './readiness';
import { buildRelease, coloured, type Release } from './release';
import { placeOf, type KubernetesSettings, type Place } from './settings';
import { removeNamespace, removeObjects } from './teardown';

type Target = Omit<RuntimeTarget, 'checkout'>;

/** Where a service was found on the clusters. */
interface Found {
  client: KubernetesClient;
  cluster: string;
  deployments: DeploymentState[];
}

const LINES = 500;

/** The golden templates name the Service after the component. */
const placeFor = ({ name, entityRef, environment }: Target): Place =>
  placeOf(
    name,
    environment,
    parseEntityRef(entityRef).name.toLocaleLowerCase('en-US'),
  );

/** Runs services on Kubernetes clusters, each environment of them in a namespace. */
export class KubernetesRuntime implements Runtime {
  readonly id = 'kubernetes';
  readonly #kubernetes: KubernetesService;
  readonly #settings: KubernetesSettings;
  readonly #logger: LoggerService;
  readonly #gate?: (entityRef: string) => Promise<GateAnswer>;
  readonly #listeners: ((change: RuntimeChange) => void)[] = [];
  /** What `watch` saw last, by service. */
  readonly #states = new Map<string, RuntimeChange['state']>();

  constructor(deps: {
    kubernetes: KubernetesService;
    settings: KubernetesSettings;
    logger: LoggerService;
    gate?: (entityRef: string) => Promise<GateAnswer>;
  }) {
    this.#kubernetes = deps.kubernetes;
    this.#settings = deps.settings;
    this.#logger = deps.logger;
    this.#gate = deps.gate;
  }

  /** Nothing of it ends with the backend, so nothing is left behind. */
  async prepare(): Promise<void> {}

  async shutdown(): Promise<void> {}

  onChange(listener: (change: RuntimeChange) => void): void {
    this.#listeners.push(listener);
  }

  async deploy(
    target: RuntimeTarget,
    options: { signal: AbortSignal; onPhase: PhaseListener },
  ): Promise<RuntimeEndpoint> {
    const { signal, onPhase } = options;
    const place = placeFor(target);
    if (!target.image)
      throw new InputError(
        `No image of ${target.commit.slice(
          0,
          7,
        )} is known: its pipeline has to build it and report it to the CI registry`,
      );
    await onPhase('checkout');
    const release = await this.#release(target, place, signal);
    const blueGreen = this.#blueGreen(place);
    const { removed } = await blueGreen.deploy(release, {
      signal,
      onPhase: (phase, message) =>
        onPhase(phase, message ? { message } : undefined),
      gate:
        this.#gate && this.#settings.gate
          ? () => this.#gate!(target.entityRef)
          : undefined,
    });
    if (removed.length)
      this.#logger.info(
        `removed from ${place.cluster}/${place.namespace}: ${removed.join(
          ', ',
        )}`,
      );
    this.#states.set(target.name, 'healthy');
    return this.#endpoint(place);
  }

  /** What runs is left alone; stopped, it gets its instances back; else it is deployed. */
  async start(
    target: RuntimeTarget,
    { signal }: { signal: AbortSignal },
  ): Promise<RuntimeEndpoint> {
    const place = placeFor(target);
    const client = this.#kubernetes.getClient(place.cluster);
    const active = await activeDeployment(client, target.name, place, signal);
    const sameCommit =
      active?.metadata.annotations?.[MARKS.commit] === target.commit;
    if (active && sameCommit) {
      const before = active.metadata.annotations?.[MARKS.replicas];
      if (before) {
        await setReplicas(client, active, Number(before));
        await client.mergePatch(referenceOf(active), {
          metadata: { annotations: { [MARKS.replicas]: null } },
        });
      }
      const { ready } = await this.#readiness(client, active, signal);
      if (ready || before) {
        this.#states.set(target.name, 'healthy');
        return this.#endpoint(place);
      }
    }
    return this.deploy(target, { signal, onPhase: async () => {} });
  }

  async stop(name: string): Promise<void> {
    for (const { client, deployments } of await this.#find(name))
      for (const deployment of deployments) {
        const { replicas = 1 } = deployment.spec;
        if (replicas === 0) continue;
        await client.mergePatch(referenceOf(deployment), {
          metadata: { annotations: { [MARKS.replicas]: String(replicas) } },
        });
        // At none the autoscaler leaves it alone.
        await setReplicas(client, deployment, 0);
      }
    this.#states.delete(name);
  }

  async remove(target: Target): Promise<UndoResult> {
    const place = placeFor(target);
    const client = this.#kubernetes.getClient(place.cluster);
    this.#states.delete(target.name);
    const namespace = await client.get({
      apiVersion: 'v1',
      kind: 'Namespace',
      name: place.namespace,
    });
    if (!namespace) return { outcome: 'done' };
    if (!namespace.metadata.deletionTimestamp) {
      const objects = await removeObjects(client, target.name, place.namespace);
      if (objects.outcome !== 'done') return objects;
    }
    if (!isOurs(namespace, target.name))
      return {
        outcome: 'done',
        message: `The namespace ${place.namespace} is not Rocket's and stays`,
      };
    return removeNamespace(client, place.namespace, namespace.metadata.uid);
  }

  async scale(
    target: RuntimeTarget,
    replicas: number,
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    const place = placeFor(target);
    const client = this.#kubernetes.getClient(place.cluster);
    await scaleService(client, target.name, place, replicas, signal);
  }

  /**
   * Asks the External Secrets Operator for the store's present values and
   * starts the instances anew, one after the other. The values themselves are
   * renewed where the store is.
   */
  async rotateCredentials(
    target: RuntimeTarget,
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    const place = placeFor(target);
    const client = this.#kubernetes.getClient(place.cluster);
    await renewCredentials(client, target.name, place, this.#settings, signal);
  }

  async observe(
    target: RuntimeTarget,
    { signal }: { signal: AbortSignal },
  ): Promise<Observation> {
    const place = placeFor(target);
    const client = this.#kubernetes.getClient(place.cluster);
    try {
      const release = await this.#release(target, place, signal);
      const { active } = await this.#blueGreen(place).look(release, signal);
      return await observeObjects(
        new Applier(client, target.name, signal),
        coloured(release, active ?? 'blue'),
        target.name,
        new Date(),
      );
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      return {
        state: 'unknown',
        message: error.message,
        observedAt: new Date().toISOString(),
      };
    }
  }

  async readLog(
    name: string,
    { limit }: { after?: number; limit: number },
  ): Promise<ServiceLog> {
    const lines: ServiceLog['lines'] = [];
    for (const { client, deployments } of await this.#find(name))
      for (const deployment of deployments) {
        const { namespace } = deployment.metadata;
        for (const pod of await this.#pods(client, deployment)) {
          const text = await client
            .logs(
              { namespace: namespace!, name: pod.metadata.name! },
              { tailLines: Math.min(limit, LINES), timestamps: true },
            )
            .catch(error => `${new Date().toISOString()} ${error.message}`);
          for (const line of text.split('\n').filter(Boolean)) {
            const [time, ...rest] = line.split(' ');
            lines.push({
              time,
              stream: 'stdout',
              text: `${pod.metadata.name}: ${rest.join(' ')}`,
            });
          }
        }
      }
    lines.sort((a, b) => a.time.localeCompare(b.time));
    // Pods keep no positions: each answer is the end as it is now.
    return { lines: lines.slice(-limit), cursor: 0 };
  }

  /** Removes versions whose time is over, on all clusters. */
  async sweep(signal?: AbortSignal): Promise<void> {
    for (const { name } of this.#kubernetes.listClusters())
      try {
        const removed = await removeOldVersions(
          this.#kubernetes.getClient(name),
          Date.now(),
          signal,
        );
        if (removed.length)
          this.#logger.info(
            `old versions removed from ${name}: ${removed.join(', ')}`,
          );
      } catch (error) {
        this.#logger.warn(
          `old versions on ${name} could not be looked at: ${
            (error as Error).message
          }`,
        );
      }
  }

  /** Looks at every service that gets requests, and tells of those whose state changed. */
  async watch(signal?: AbortSignal): Promise<void> {
    for (const { name } of this.#kubernetes.listClusters())
      try {
        const client = this.#kubernetes.getClient(name);
        const deployments = await client.listAll<DeploymentState>(
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            labelSelector: { [MARKS.managedBy]: ROCKET },
          },
          { signal },
        );
        const colours = new Map(
          (
            await client.listAll<DeploymentState>(
              {
                apiVersion: 'v1',
                kind: 'Service',
                labelSelector: { [MARKS.managedBy]: ROCKET },
              },
              { signal },
            )
          ).map(({ metadata, spec }) => [
            `${metadata.namespace}/${metadata.labels?.[MARKS.service]}`,
            (spec as any).selector?.[MARKS.colour],
          ]),
        );
        for (const deployment of deployments) {
          const {
            namespace,
            labels = {},
            annotations = {},
          } = deployment.metadata;
          const service = labels[MARKS.service];
          // One that has no requests, is stopped, or nobody started: not asked for.
          if (
            !this.#states.has(service) ||
            annotations[MARKS.replicas] ||
            colours.get(`${namespace}/${service}`) !== labels[MARKS.colour]
          )
            continue;
          const { ready, problems, progress } = await this.#readiness(
            client,
            deployment,
            signal,
          );
          const state = ready ? 'healthy' : 'unhealthy';
          if (this.#states.get(service) === state) continue;
          this.#states.set(service, state);
          const message = ready
            ? undefined
            : [progress, ...problems.map(p => p.message)].join('; ');
          for (const listener of this.#listeners)
            listener({ name: service, state, message });
        }
      } catch (error) {
        this.#logger.warn(
          `the services on ${name} could not be looked at: ${
            (error as Error).message
          }`,
        );
      }
  }

  #endpoint(place: Place): RuntimeEndpoint {
    return { url: place.url, docsUrl: `${place.url}/docs` };
  }

  #blueGreen(place: Place) {
    return new BlueGreen({
      client: this.#kubernetes.getClient(place.cluster),
      settings: this.#settings,
    });
  }

  async #release(
    target: RuntimeTarget,
    place: Place,
    signal: AbortSignal,
  ): Promise<Release> {
    const directory = await mkdtemp(join(tmpdir(), 'rocket-manifests-'));
    try {
      await target.checkout(directory, signal);
      const files = await readManifestFiles(
        join(directory, 'deploy/kubernetes'),
      );
      return buildRelease({
        service: target.name,
        entityRef: target.entityRef,
        owner: target.owner,
        commit: target.commit,
        image: target.image,
        place,
        files,
      });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  async #find(service: string): Promise<Found[]> {
    const found: Found[] = [];
    for (const { name } of this.#kubernetes.listClusters()) {
      const client = this.#kubernetes.getClient(name);
      const deployments = await client.listAll<DeploymentState>({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        labelSelector: serviceLabels(service),
      });
      if (deployments.length)
        found.push({ client, cluster: name, deployments });
    }
    return found;
  }

  async #pods(
    client: KubernetesClient,
    deployment: DeploymentState,
    signal?: AbortSignal,
  ): Promise<PodState[]> {
    return client.listAll<PodState>(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: deployment.metadata.namespace,
        labelSelector: (deployment.spec as any).selector.matchLabels,
      },
      { signal },
    );
  }

  async #readiness(
    client: KubernetesClient,
    deployment: DeploymentState,
    signal?: AbortSignal,
  ) {
    return readinessOf(
      deployment,
      await this.#pods(client, deployment, signal),
    );
  }
}
