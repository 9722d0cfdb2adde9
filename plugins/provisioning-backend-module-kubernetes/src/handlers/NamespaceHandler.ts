import { ConflictError, InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import {
  KubernetesError,
  type KubernetesClient,
  type KubernetesObject,
  type KubernetesService,
} from '@rocket/kubernetes-node';
import type {
  Effect,
  Observation,
  PreflightFinding,
} from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import { quantity, type Manifest } from '../manifests';
import { differencesOf } from '../runtime/drift';
import { MARKS, ROCKET } from '../runtime/marks';
import { checkNamespace } from '../runtime/settings';
import { removeNamespace } from '../runtime/teardown';
import { findClient, found, textField, tierField } from './intents';

const DEFAULTS = { cpu: '8', memory: '16Gi', pods: 40 };

/** What a namespace is to be. */
interface NamespaceIntent extends JsonObject {
  cluster: string;
  namespace: string;
  tier: string;
  dataClass: string;
  /** At most for all pods together: cores, bytes, number. */
  quota: { cpu: string; memory: string; pods: number };
}

/** Namespaces with restricted pod security, a quota, limits, and nothing allowed on the network. */
export class NamespaceHandler implements EffectHandler {
  readonly type = 'kubernetes.namespace';
  readonly title = 'Kubernetes namespace';
  /** With everything that is still in it. */
  readonly retireOrder = 35;
  readonly #kubernetes: KubernetesService;

  constructor(deps: { kubernetes: KubernetesService }) {
    this.#kubernetes = deps.kubernetes;
  }

  parseIntent(intent: JsonObject): NamespaceIntent {
    const quota = (intent.quota ?? {}) as JsonObject;
    const cpu = String(quota.cpu ?? DEFAULTS.cpu);
    const memory = String(quota.memory ?? DEFAULTS.memory);
    const pods = Number(quota.pods ?? DEFAULTS.pods);
    if (!(quantity(cpu) > 0))
      throw new InputError(`quota.cpu: '${cpu}' is no amount of cores`);
    if (!(quantity(memory) > 0))
      throw new InputError(`quota.memory: '${memory}' is no amount of memory`);
    if (!Number.isInteger(pods) || pods < 1 || pods > 1000)
      throw new InputError('quota.pods: must be a whole number from 1 to 1000');
    const dataClass = textField(intent, 'dataClass', 'confidential');
    if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(dataClass))
      throw new InputError(
        'dataClass: must be 1 to 63 lower-case letters, digits and hyphens',
      );
    return {
      cluster: textField(intent, 'cluster'),
      namespace: checkNamespace(intent.namespace, 'namespace'),
      tier: tierField(intent),
      dataClass,
      quota: { cpu, memory, pods },
    };
  }

  describeUndo({ intent }: Pick<Effect, 'reference' | 'intent'>): string {
    return `Delete the namespace ${intent.namespace} of ${intent.cluster} with everything in it`;
  }

  async preflight(
    request: Pick<Effect, 'reference' | 'intent' | 'subject'>,
    { signal }: EffectContext,
  ): Promise<PreflightFinding[]> {
    const intent = this.parseIntent(request.intent);
    const client = findClient(this.#kubernetes, intent.cluster);
    if ('level' in client) return [client];
    const subject = `${intent.cluster}/${intent.namespace}`;
    try {
      const there = await this.#get(client, intent.namespace, signal);
      if (
        there &&
        there.metadata.annotations?.[MARKS.entity] !== request.subject
      )
        return [
          found('error', 'name-taken', subject, taken(intent.namespace, there)),
        ];
      if (there?.metadata.deletionTimestamp)
        return [
          found(
            'error',
            'name-taken',
            subject,
            `The namespace ${intent.namespace} is being deleted; wait until it is gone`,
          ),
        ];
      for (const [verb, group, resource] of [
        ['create', '', 'namespaces'],
        ['delete', '', 'namespaces'],
        ['patch', '', 'resourcequotas'],
        ['patch', 'networking.k8s.io', 'networkpolicies'],
      ] as const) {
        const namespace =
          resource === 'namespaces' ? undefined : intent.namespace;
        const answer = await client.canI(
          { verb, group, resource, namespace },
          { signal },
        );
        if (!answer.allowed)
          return [
            found(
              'error',
              'credentials-insufficient',
              subject,
              `Rocket may not ${verb} ${resource} on ${intent.cluster}; give its ServiceAccount this right`,
            ),
          ];
      }
      if (!there)
        await client.apply(this.#objects(intent, request, 'preflight')[0], {
          dryRun: true,
          signal,
        });
    } catch (error) {
      return [refusal(error, subject)];
    }
    return [
      found(
        'ok',
        'name-free',
        subject,
        `The namespace ${intent.namespace} can be made`,
      ),
    ];
  }

  async apply(
    effect: Effect,
    { signal, progress }: EffectContext,
  ): Promise<JsonObject> {
    const intent = this.parseIntent(effect.intent);
    const client = this.#kubernetes.getClient(intent.cluster);
    const there = await this.#get(client, intent.namespace, signal);
    if (there && there.metadata.labels?.[MARKS.effect] !== effect.id)
      throw new ConflictError(taken(intent.namespace, there));
    await progress(`Makes the namespace ${intent.namespace}`);
    let uid: string | undefined;
    for (const object of this.#objects(intent, effect, effect.id)) {
      const { object: now } = await client.apply(object, { signal });
      if (object.kind === 'Namespace') uid = now.metadata.uid;
    }
    return { cluster: intent.cluster, namespace: intent.namespace, uid: uid! };
  }

  async observe(
    effect: Effect,
    { signal }: EffectContext,
  ): Promise<Observation> {
    const observedAt = new Date().toISOString();
    try {
      const intent = this.parseIntent(effect.intent);
      const client = this.#kubernetes.getClient(intent.cluster);
      const there = await this.#get(client, intent.namespace, signal);
      if (
        !there ||
        there.metadata.deletionTimestamp ||
        (effect.details.uid && there.metadata.uid !== effect.details.uid)
      )
        return { state: 'absent', observedAt };
      const differences = [];
      for (const object of this.#objects(intent, effect, effect.id)) {
        const { apiVersion, kind, metadata } = object;
        const now = await client.get(
          { apiVersion, kind, ...metadata },
          { signal },
        );
        const { object: intended } = await client.apply(object, {
          dryRun: true,
          force: true,
          signal,
        });
        if (now) differences.push(...differencesOf(intended, now));
        else
          differences.push({
            field: `${kind} ${metadata.name}`,
            intended: 'to be there',
            found: 'is not there',
          });
      }
      return differences.length
        ? {
            state: 'drifted',
            differences: differences.slice(0, 20),
            observedAt,
          }
        : { state: 'present', observedAt };
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      return { state: 'unknown', message: error.message, observedAt };
    }
  }

  async remove(
    effect: Effect,
    _mode: 'undo' | 'retire',
    { signal }: EffectContext,
  ): Promise<UndoResult> {
    const intent = this.parseIntent(effect.intent);
    const client = this.#kubernetes.getClient(intent.cluster);
    const there = await this.#get(client, intent.namespace, signal);
    // Killed before the uid was written down, the mark tells whose it is.
    if (there && there.metadata.labels?.[MARKS.effect] !== effect.id)
      return {
        outcome: 'done',
        message: `${intent.namespace} is another one's namespace; it was left alone`,
      };
    return removeNamespace(
      client,
      intent.namespace,
      effect.details.uid as string | undefined,
      signal,
    );
  }

  #get(client: KubernetesClient, name: string, signal?: AbortSignal) {
    return client.get(
      { apiVersion: 'v1', kind: 'Namespace', name },
      { signal },
    );
  }

  #objects(
    intent: NamespaceIntent,
    { subject }: Pick<Effect, 'subject'>,
    effectId: string,
  ): Manifest[] {
    const { namespace, tier, dataClass, quota } = intent;
    const marks = {
      labels: { [MARKS.managedBy]: ROCKET, [MARKS.effect]: effectId },
      annotations: { [MARKS.entity]: subject },
    };
    const within = (name: string) => ({ name, namespace, ...marks });
    const modes = ['enforce', 'audit', 'warn'].map(mode => [
      `pod-security.kubernetes.io/${mode}`,
      'restricted',
    ]);
    return [
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: {
          name: namespace,
          annotations: marks.annotations,
          labels: {
            ...marks.labels,
            ...Object.fromEntries(modes),
            [MARKS.tier]: tier,
            'rocket.internal/data-class': dataClass,
          },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: within('rocket'),
        spec: {
          hard: {
            'requests.cpu': quota.cpu,
            'requests.memory': quota.memory,
            'limits.memory': quota.memory,
            pods: String(quota.pods),
            'services.loadbalancers': '0',
            'services.nodeports': '0',
            persistentvolumeclaims: '0',
          },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: within('rocket'),
        spec: {
          limits: [
            {
              type: 'Container',
              defaultRequest: {
                cpu: '100m',
                memory: '128Mi',
                'ephemeral-storage': '64Mi',
              },
              default: { memory: '128Mi', 'ephemeral-storage': '256Mi' },
            },
          ],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: within('default'),
        automountServiceAccountToken: false,
      },
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: within('default-deny'),
        spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
      },
    ];
  }
}

function taken(name: string, there: KubernetesObject): string {
  const owner = there.metadata.annotations?.[MARKS.entity];
  return `The namespace ${name} is there already and ${
    owner ? `belongs to ${owner}` : 'was not made by Rocket'
  }; choose another name`;
}

/** What a cluster answered, as a finding. */
export function refusal(error: unknown, subject: string): PreflightFinding {
  if (!(error instanceof KubernetesError))
    return found('error', 'refused', subject, (error as Error).message);
  const reasons: Partial<Record<KubernetesError['kind'], string>> = {
    quota: 'quota-exceeded',
    forbidden: 'credentials-insufficient',
    unauthorized: 'credentials-insufficient',
    network: 'unreachable',
    timeout: 'unreachable',
    server: 'unreachable',
    throttled: 'unreachable',
    'not-served': 'kind-missing',
  };
  return found(
    'error',
    reasons[error.kind] ?? 'refused',
    subject,
    error.message,
  );
}
