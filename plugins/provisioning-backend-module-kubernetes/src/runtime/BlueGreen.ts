import { InputError } from '@backstage/errors';
import type {
  KubernetesClient,
  KubernetesObject,
} from '@rocket/kubernetes-node';
import type { DeployPhase } from '@rocket/plugin-provisioning-common';
import type { Manifest } from '../manifests';
import { Applier, referenceOf, type Before } from './Applier';
import { isOurs, MARKS } from './marks';
import { runMigration } from './migration';
import { ownedPart } from './owned';
import {
  NotReadyError,
  pause,
  ReadinessWait,
  type DeploymentState,
} from './readiness';
import {
  coloured,
  COLOURS,
  find,
  neededSecrets,
  type Colour,
  type Release,
} from './release';
import type { KubernetesSettings } from './settings';
import { awaitSecrets, untilNotGoing } from './waits';

/** What a gate says of one more deployment of a component. */
export interface GateAnswer {
  decision: 'allow' | 'warn' | 'block';
  reasons: string[];
}

export interface DeployOptions {
  signal: AbortSignal;
  onPhase(phase: DeployPhase, message?: string): Promise<void>;
  /** Asked before the new version gets requests, and while it is watched. Rejects when the gate does not answer. */
  gate?(): Promise<GateAnswer>;
}

export interface Deployed {
  colour: Colour;
  /** Of everything that was applied, with the uids. */
  objects: { kind: string; name: string; uid?: string }[];
  removed: string[];
}

interface Live {
  service?: KubernetesObject;
  /** Colour that gets the requests. */
  active?: Colour;
  deployments: Map<Colour, DeploymentState>;
}

/**
 * Brings versions up beside the one that runs and lets the Service choose
 * between the two. The state is in the cluster alone, so that what was cut off
 * at any point can be done again.
 */
export class BlueGreen {
  readonly #client: KubernetesClient;
  readonly #settings: KubernetesSettings;
  readonly #now: () => number;

  constructor(deps: {
    client: KubernetesClient;
    settings: KubernetesSettings;
    now?: () => number;
  }) {
    this.#client = deps.client;
    this.#settings = deps.settings;
    this.#now = deps.now ?? Date.now;
  }

  #bounds(deadlineMs: number) {
    return { deadlineMs, pollMs: this.#settings.pollMs, now: this.#now };
  }

  /** Which versions there are, and which of them gets the requests. */
  async look(release: Release, signal?: AbortSignal): Promise<Live> {
    const { service, place } = release;
    const { namespace } = place;
    const found = await this.#client.get(
      referenceOf({ ...find(release.objects, 'Service')! }),
      { signal },
    );
    const deployments = new Map<Colour, DeploymentState>();
    for (const colour of COLOURS) {
      const deployment = await this.#client.get<DeploymentState>(
        {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          namespace,
          name: `${
            find(release.objects, 'Deployment')!.metadata.name
          }-${colour}`,
        },
        { signal },
      );
      if (deployment && isOurs(deployment, service))
        deployments.set(colour, deployment);
    }
    const chosen = (found?.spec as any)?.selector?.[MARKS.colour] as Colour;
    return {
      service: found,
      active: deployments.has(chosen) ? chosen : undefined,
      deployments,
    };
  }

  /**
   * Applies a release and answers when it has the requests and kept well.
   * Before that, a failure puts everything back as it was.
   */
  async deploy(release: Release, options: DeployOptions): Promise<Deployed> {
    const { signal, onPhase } = options;
    const { place, service } = release;
    const applier = new Applier(this.#client, service, signal);
    await onPhase('install', 'The API server looks at the manifests');
    const opened = await this.#openNamespace(applier, release, signal);
    const live = await this.look(release, signal);
    // The same version again stays where it is.
    const same =
      live.active !== undefined &&
      live.deployments.get(live.active)!.metadata.annotations?.[
        MARKS.commit
      ] === release.commit;
    let colour: Colour = live.active === 'blue' ? 'green' : 'blue';
    if (same) colour = live.active!;
    const objects = coloured(release, colour);
    const others = objects.filter(({ kind }) => kind !== 'Namespace');
    try {
      await applier.dryRun(others);
    } catch (error) {
      await applier.restore(opened);
      throw error;
    }

    const changes: Before[] = [...opened];
    const applied: Deployed['objects'] = [];
    const apply = async (object: Manifest) => {
      const { object: now, before } = await applier.apply(object);
      changes.push(before);
      applied.push({
        kind: object.kind,
        name: object.metadata.name,
        uid: now.metadata.uid,
      });
      return now;
    };
    let step: DeployPhase = 'database';
    const enter = (phase: DeployPhase, message?: string) => {
      step = phase;
      return onPhase(phase, message);
    };
    try {
      const late = ['Job', 'Deployment', 'Service', 'HTTPRoute', 'Ingress'];
      const scaling = ['HorizontalPodAutoscaler', 'CronJob'];
      const early = others.filter(
        ({ kind }) => ![...late, ...scaling].includes(kind),
      );
      for (const object of early) await apply(object);
      await enter('database', 'Waits for the credentials of the database');
      await awaitSecrets(
        this.#client,
        others.filter(
          ({ kind, metadata }) =>
            kind === 'ExternalSecret' &&
            neededSecrets(others).includes(metadata.name),
        ),
        { ...this.#bounds(this.#settings.secretTimeoutMs), signal },
      );

      await enter('migrate');
      for (const job of others.filter(({ kind }) => kind === 'Job')) {
        await runMigration(this.#client, job, {
          apply: () => apply(job),
          deadlineMs: this.#settings.migrationTimeoutMs,
          pollMs: this.#settings.pollMs,
          now: this.#now,
          signal,
        });
      }

      await enter('start', `Starts beside the version that runs (${colour})`);
      const deployment = find(others, 'Deployment')!;
      const started = await apply(deployment);
      await this.#size(started as DeploymentState, others, live);
      for (const object of others.filter(({ kind }) => scaling.includes(kind)))
        await apply(object);

      await enter('health');
      const wait = new ReadinessWait(
        this.#client,
        place.namespace,
        deployment.metadata.name,
      );
      await wait.untilReady({
        deadlineMs: this.#settings.readyTimeoutMs,
        pollMs: this.#settings.pollMs,
        now: this.#now,
        signal,
        onProgress: message => onPhase('health', message),
      });
      await this.#ask(options);
      for (const object of others.filter(({ kind }) =>
        ['Service', 'HTTPRoute', 'Ingress'].includes(kind),
      ))
        await apply(object);
      if (!same && live.active)
        await this.#watch(wait, deployment.metadata.name, options);
    } catch (error) {
      await this.#goBack(release, changes, live, error as Error, step);
      throw error;
    }

    const kept = [...others];
    if (!same && live.active && this.#settings.keepMs > 0)
      kept.push(...(await this.#retire(release, live, live.active)));
    const removed = await applier.prune(place.namespace, kept);
    return { colour, objects: applied, removed };
  }

  /** The namespace has to be there before the API server can look at what goes into it. */
  async #openNamespace(
    applier: Applier,
    release: Release,
    signal: AbortSignal,
  ): Promise<Before[]> {
    const { place, objects } = release;
    const wanted = find(objects, 'Namespace');
    const found = await untilNotGoing(this.#client, release, {
      ...this.#bounds(this.#settings.secretTimeoutMs),
      signal,
    });
    if (!wanted) {
      if (!found)
        throw new InputError(
          `There is no namespace ${place.namespace} on ${place.cluster}; make it, or set createNamespace: true`,
        );
      return [];
    }
    await applier.dryRun([wanted]);
    const { before } = await applier.apply(wanted);
    return [before];
  }

  /** As many instances as the version that runs has, since it is to take over at once. */
  async #size(
    deployment: DeploymentState,
    objects: Manifest[],
    live: Live,
  ): Promise<void> {
    const least = find(objects, 'HorizontalPodAutoscaler')?.spec.minReplicas;
    if (least === undefined) return;
    const running =
      live.active && live.deployments.get(live.active)!.spec.replicas;
    const wanted = Math.max(least, running ?? 0);
    if ((deployment.spec.replicas ?? 1) >= wanted) return;
    await this.#client.mergePatch(
      referenceOf(deployment),
      { spec: { replicas: wanted } },
      { subresource: 'scale' },
    );
  }

  /** @throws when the gate says block; while it does not answer the deployment goes on, and says so. */
  async #ask({ gate, onPhase }: DeployOptions): Promise<void> {
    if (!gate) return;
    let answer: GateAnswer;
    try {
      answer = await gate();
    } catch (error) {
      await onPhase(
        'health',
        `The gate did not answer: ${(error as Error).message}`,
      );
      return;
    }
    if (answer.decision === 'block')
      throw new NotReadyError(
        `the gate says no: ${answer.reasons.join('; ')}`,
        [],
      );
    if (answer.decision === 'warn')
      await onPhase('health', `The gate warns: ${answer.reasons.join('; ')}`);
  }

  /** The new version has the requests; for a while it has to prove itself. */
  async #watch(
    wait: ReadinessWait,
    name: string,
    options: DeployOptions,
  ): Promise<void> {
    const { signal, onPhase } = options;
    const end = this.#now() + this.#settings.watchMs;
    await onPhase('health', 'Has the requests, and is watched');
    while (this.#now() < end) {
      await pause(this.#settings.pollMs, signal);
      signal.throwIfAborted();
      const found = await wait.look(signal);
      if (!found?.ready)
        throw new NotReadyError(
          `${name} turned unready after it got the requests: ${
            found
              ? [found.progress, ...found.problems.map(p => p.message)].join(
                  '; ',
                )
              : 'it was removed'
          }`,
          found?.problems ?? [],
        );
    }
    await this.#ask(options);
  }

  /**
   * Requests first, then everything else as it was. Without a version before,
   * what came up stays to be looked at. What cannot be put back is told.
   */
  async #goBack(
    release: Release,
    changes: Before[],
    live: Live,
    error: Error,
    step: DeployPhase,
  ): Promise<void> {
    if (!live.active) {
      error.message += `. It is left as it is, in ${step}; undo or retire removes it`;
      return;
    }
    // The given-up signal must not keep it from going back.
    const applier = new Applier(this.#client, release.service);
    try {
      if (live.service)
        await this.#client.apply(ownedPart(live.service), { force: true });
      await applier.restore(
        changes.filter(({ reference }) => reference.kind !== 'Service'),
      );
      error.message += `. The version before it (${live.active}) has the requests`;
    } catch (cause) {
      error.message += `. Going back to the version before it failed too: ${
        (cause as Error).message
      }`;
    }
  }

  /** The old version stays for a while, without requests. @returns what must not be pruned */
  async #retire(
    release: Release,
    live: Live,
    colour: Colour,
  ): Promise<Manifest[]> {
    const deployment = live.deployments.get(colour)!;
    const at = new Date(this.#now() + this.#settings.keepMs).toISOString();
    await this.#client.mergePatch(referenceOf(deployment), {
      metadata: { annotations: { [MARKS.retireAt]: at } },
    });
    return coloured(release, colour).filter(({ kind }) =>
      ['Deployment', 'HorizontalPodAutoscaler'].includes(kind),
    );
  }
}
