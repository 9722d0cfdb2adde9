import { InputError, isError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import {
  KubernetesError,
  type KubernetesService,
} from '@rocket/kubernetes-node';
import {
  SERVICE_NAME_PATTERN,
  type Effect,
  type Observation,
  type PreflightFinding,
} from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import { isRecord, type ManifestFiles } from '../manifests';
import { Applier } from '../runtime/Applier';
import { BlueGreen, type GateAnswer } from '../runtime/BlueGreen';
import { observeObjects } from '../runtime/drift';
import { isOurs } from '../runtime/marks';
import { buildRelease, coloured, type Release } from '../runtime/release';
import {
  checkNamespace,
  type KubernetesSettings,
  type Place,
} from '../runtime/settings';
import { removeNamespace, removeObjects } from '../runtime/teardown';
import { refusal } from './NamespaceHandler';
import { findClient, found, textField, tierField } from './intents';

const MAX_BYTES = 256 * 1024;

/** A version of a service on a cluster, with the manifests themselves. */
interface WorkloadIntent extends JsonObject {
  cluster: string;
  namespace: string;
  environment: string;
  tier: string;
  service: string;
  commit: string;
  image: string;
  createNamespace: boolean;
  externalSecrets: boolean;
  /** Content by path below `deploy/kubernetes`. */
  files: { [path: string]: string };
}

/** What a service's manifests make: applied, watched until it is ready, compared, and taken away again. */
export class WorkloadHandler implements EffectHandler {
  readonly type = 'kubernetes.workload';
  readonly title = 'Kubernetes workload';
  readonly retireOrder = 30;
  readonly #kubernetes: KubernetesService;
  readonly #settings: KubernetesSettings;
  readonly #gate?: (entityRef: string) => Promise<GateAnswer>;

  constructor(deps: {
    kubernetes: KubernetesService;
    settings: KubernetesSettings;
    gate?: (entityRef: string) => Promise<GateAnswer>;
  }) {
    this.#kubernetes = deps.kubernetes;
    this.#settings = deps.settings;
    this.#gate = deps.gate;
  }

  parseIntent(intent: JsonObject): WorkloadIntent {
    const service = textField(intent, 'service');
    if (!SERVICE_NAME_PATTERN.test(service))
      throw new InputError('service: is no name of a service');
    const commit = textField(intent, 'commit');
    if (!/^[0-9a-f]{40}$/.test(commit))
      throw new InputError('commit: must be a full SHA');
    const image = textField(intent, 'image');
    if (!/^[\w./:-]+@sha256:[0-9a-f]{64}$/.test(image))
      throw new InputError(
        'image: must be named by its digest, registry/image@sha256:…',
      );
    const { files } = intent;
    if (
      !isRecord(files) ||
      !Object.values(files).every(text => typeof text === 'string')
    )
      throw new InputError('files: must be texts by path');
    if (JSON.stringify(files).length > MAX_BYTES)
      throw new InputError(`files: more than ${MAX_BYTES / 1024} KiB`);
    const onOff = (field: string) => {
      const value = intent[field] ?? true;
      if (typeof value !== 'boolean')
        throw new InputError(`${field}: must be true or false`);
      return value;
    };
    const parsed: WorkloadIntent = {
      cluster: textField(intent, 'cluster'),
      namespace: checkNamespace(intent.namespace, 'namespace'),
      environment: textField(intent, 'environment'),
      tier: tierField(intent),
      service,
      commit,
      image,
      createNamespace: onOff('createNamespace'),
      externalSecrets: onOff('externalSecrets'),
      files: files as WorkloadIntent['files'],
    };
    // What cannot be rendered, or may not run, is told before anything is written down.
    this.#release(parsed, { subject: '', owner: '', run: '' });
    return parsed;
  }

  describeUndo({ intent }: Pick<Effect, 'reference' | 'intent'>): string {
    return `Delete what runs for ${intent.service} in ${intent.cluster}/${intent.namespace}`;
  }

  async preflight(
    request: Pick<Effect, 'reference' | 'intent' | 'subject' | 'owner'>,
    { signal }: EffectContext,
  ): Promise<PreflightFinding[]> {
    const subject = request.reference;
    let release: Release;
    try {
      release = this.#release(this.parseIntent(request.intent), {
        ...request,
        run: '',
      });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return [found('error', 'manifests-refused', subject, error.message)];
    }
    const { place, service } = release;
    const client = findClient(this.#kubernetes, place.cluster);
    if ('level' in client) return [client];
    try {
      const namespace = await client.get(
        { apiVersion: 'v1', kind: 'Namespace', name: place.namespace },
        { signal },
      );
      if (namespace?.metadata.deletionTimestamp)
        throw new InputError(
          `The namespace ${place.namespace} is being deleted; wait until it is gone`,
        );
      if (!namespace && !place.ownsNamespace)
        throw new InputError(
          `There is no namespace ${place.namespace} on ${place.cluster}`,
        );
      // Before there is a namespace, the API server can judge nothing but that.
      const objects = namespace
        ? coloured(release, 'blue')
        : release.objects.filter(({ kind }) => kind === 'Namespace');
      await new Applier(client, service, signal).dryRun(objects);
      return [
        namespace
          ? found(
              'ok',
              'dry-run',
              subject,
              'The API server takes the manifests',
            )
          : found(
              'warning',
              'dry-run-partial',
              subject,
              `The API server looks at the manifests once the namespace ${place.namespace} is there`,
            ),
      ];
    } catch (error) {
      if (isError(error) && error.name === 'InputError')
        return [found('error', 'manifests-refused', subject, error.message)];
      return [refusal(error, subject)];
    }
  }

  async apply(
    effect: Effect,
    { signal, progress }: EffectContext,
  ): Promise<JsonObject> {
    const release = this.#release(this.parseIntent(effect.intent), effect);
    const client = this.#kubernetes.getClient(release.place.cluster);
    const deployed = await new BlueGreen({
      client,
      settings: this.#settings,
    }).deploy(release, {
      signal,
      onPhase: async (phase, message) => progress(message ?? phase),
      gate:
        this.#gate && this.#settings.gate
          ? () => this.#gate!(effect.subject)
          : undefined,
    });
    return {
      cluster: release.place.cluster,
      namespace: release.place.namespace,
      url: release.place.url,
      colour: deployed.colour,
      objects: deployed.objects.map(({ kind, name, uid }) => ({
        kind,
        name,
        uid: uid ?? '',
      })),
    };
  }

  async observe(
    effect: Effect,
    { signal }: EffectContext,
  ): Promise<Observation> {
    try {
      const release = this.#release(this.parseIntent(effect.intent), effect);
      const client = this.#kubernetes.getClient(release.place.cluster);
      const { active } = await new BlueGreen({
        client,
        settings: this.#settings,
      }).look(release, signal);
      return await observeObjects(
        new Applier(client, release.service, signal),
        coloured(release, active ?? 'blue'),
        release.service,
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

  async remove(
    effect: Effect,
    _mode: 'undo' | 'retire',
    { signal }: EffectContext,
  ): Promise<UndoResult> {
    const { cluster, namespace, service } = this.parseIntent(effect.intent);
    const client = this.#kubernetes.getClient(cluster);
    const there = await client.get(
      { apiVersion: 'v1', kind: 'Namespace', name: namespace },
      { signal },
    );
    if (!there) return { outcome: 'done' };
    if (!there.metadata.deletionTimestamp) {
      const objects = await removeObjects(client, service, namespace, signal);
      if (objects.outcome !== 'done') return objects;
    }
    return isOurs(there, service)
      ? removeNamespace(client, namespace, there.metadata.uid, signal)
      : { outcome: 'done' };
  }

  #release(
    intent: WorkloadIntent,
    { subject, owner, run }: Pick<Effect, 'subject' | 'owner' | 'run'>,
  ): Release {
    const place: Place = {
      cluster: intent.cluster,
      namespace: intent.namespace,
      environment: intent.environment,
      tier: intent.tier as Place['tier'],
      ownsNamespace: intent.createNamespace,
      externalSecrets: intent.externalSecrets,
      url: `http://${intent.service}.${intent.namespace}.svc.cluster.local`,
    };
    const files: ManifestFiles = new Map(Object.entries(intent.files));
    return buildRelease({
      service: intent.service,
      entityRef: subject,
      owner,
      commit: intent.commit,
      image: intent.image,
      run: run || undefined,
      place,
      files,
    });
  }
}
