import { ConflictError, InputError } from '@backstage/errors';
import {
  FIELD_MANAGER,
  KubernetesError,
  KubernetesFieldConflictError,
  type KubernetesClient,
  type KubernetesObject,
  type ObjectReference,
} from '@rocket/kubernetes-node';
import {
  ALLOWED_KINDS,
  describe,
  identityOf,
  type Manifest,
} from '../manifests';
import { isDefaultAccount, isOurs, MARKS, serviceLabels } from './marks';
import { ownedPart } from './owned';

/** How an object was before a release touched it; without `owned` it was not there. */
export interface Before {
  reference: ObjectReference;
  owned?: Manifest;
  /** Of what the release made. */
  uid?: string;
}

export const referenceOf = (object: KubernetesObject): ObjectReference => ({
  apiVersion: object.apiVersion,
  kind: object.kind,
  name: object.metadata.name!,
  ...(object.metadata.namespace
    ? { namespace: object.metadata.namespace }
    : {}),
});

/** Kinds of a service in a namespace, in the order in which they are taken away: traffic, then what makes pods, then the rest. */
export const REMOVAL_ORDER = [
  'HTTPRoute',
  'Ingress',
  'Service',
  'HorizontalPodAutoscaler',
  'CronJob',
  'Deployment',
  'Job',
  'PodDisruptionBudget',
  'ExternalSecret',
  'ConfigMap',
  'NetworkPolicy',
  'ServiceAccount',
  'LimitRange',
  'ResourceQuota',
];

/** Writes the objects of one service to one cluster, and finds them again. It touches nothing that is not marked as the service's. */
export class Applier {
  readonly #client: KubernetesClient;
  readonly #service: string;
  readonly #signal?: AbortSignal;

  constructor(client: KubernetesClient, service: string, signal?: AbortSignal) {
    this.#client = client;
    this.#service = service;
    this.#signal = signal;
  }

  get #call() {
    return { signal: this.#signal };
  }

  /** @throws ConflictError for an object that somebody else made */
  async look(object: Manifest): Promise<KubernetesObject | undefined> {
    const found = await this.find(object);
    if (!found || isOurs(found, this.#service) || isDefaultAccount(found))
      return found;
    const other = found.metadata.labels?.[MARKS.service];
    throw new ConflictError(
      `${describe(object)} is there already and is ${
        other ? `the service ${other}'s` : 'not made by Rocket'
      }; ${
        object.kind === 'Namespace'
          ? 'name another namespace, or set createNamespace: false to share it'
          : 'rename or remove it'
      }`,
    );
  }

  /**
   * Asks the API server about every object, admission included, and writes
   * nothing. All refusals together.
   *
   * @throws InputError naming objects and fields; errors that are not about the objects as they are
   */
  async dryRun(objects: Manifest[]): Promise<void> {
    const refused: string[] = [];
    for (const object of objects) {
      try {
        await this.look(object);
        await this.#write(object, true);
      } catch (error) {
        if (error instanceof ConflictError) refused.push(error.message);
        else if (
          error instanceof KubernetesError &&
          [
            'validation',
            'denied',
            'quota',
            'field-conflict',
            'forbidden',
            'not-served',
            'conflict',
          ].includes(error.kind)
        )
          refused.push(error.message);
        else throw error;
      }
    }
    if (refused.length)
      throw new InputError(
        `The cluster would refuse the manifests, nothing was changed: ${refused.join(
          '; ',
        )}`,
      );
  }

  /** @returns the object as it is now, and how it was before */
  async apply(
    object: Manifest,
  ): Promise<{ object: KubernetesObject; before: Before }> {
    const found = await this.look(object);
    const { object: now, created } = await this.#write(object, false);
    return {
      object: now,
      before: {
        reference: referenceOf(object),
        ...(found && !created ? { owned: ownedPart(found) } : {}),
        uid: now.metadata.uid,
      },
    };
  }

  /** Whoever made it. */
  async find(object: Manifest): Promise<KubernetesObject | undefined> {
    return this.#client.get(referenceOf(object), this.#call);
  }

  /** What an apply would make of it; writes nothing. */
  async preview(object: Manifest): Promise<KubernetesObject> {
    const { object: preview } = await this.#client.apply(object, {
      ...this.#call,
      dryRun: true,
      force: true,
    });
    return preview;
  }

  async #write(object: Manifest, dryRun: boolean) {
    try {
      return await this.#client.apply(object, { ...this.#call, dryRun });
    } catch (error) {
      // Fields that Rocket itself changed since, by a patch: scaling, say.
      if (
        error instanceof KubernetesFieldConflictError &&
        error.conflicts.every(({ manager }) => manager === FIELD_MANAGER)
      )
        return await this.#client.apply(object, {
          ...this.#call,
          dryRun,
          force: true,
        });
      throw error;
    }
  }

  /** Puts objects back as they were, the last one first; what was not there is removed. */
  async restore(changes: Before[]): Promise<void> {
    for (const { reference, owned, uid } of [...changes].reverse()) {
      if (owned)
        await this.#client.apply(owned, { ...this.#call, force: true });
      else if (!isDefaultAccount({ ...reference, metadata: reference }))
        await this.remove(reference, uid);
    }
  }

  /** Everything in a namespace that is marked as the service's. */
  async list(namespace: string): Promise<KubernetesObject[]> {
    const found: KubernetesObject[] = [];
    for (const kind of REMOVAL_ORDER) {
      const apiVersion = ALLOWED_KINDS[kind];
      // A kind that the cluster does not serve has no objects.
      if (
        apiVersion.includes('.') &&
        !(await this.#client.findResource({ apiVersion, kind }, this.#call))
      )
        continue;
      found.push(
        ...(await this.#client.listAll(
          {
            apiVersion,
            kind,
            namespace,
            labelSelector: serviceLabels(this.#service),
          },
          this.#call,
        )),
      );
    }
    return found;
  }

  /** Removes what is marked as the service's and not among `kept`. @returns what was removed */
  async prune(namespace: string, kept: Manifest[]): Promise<string[]> {
    const wanted = new Set(kept.map(identityOf));
    const removed: string[] = [];
    for (const object of await this.list(namespace)) {
      if (wanted.has(identityOf(object)) || isDefaultAccount(object)) continue;
      if (object.metadata.deletionTimestamp) continue;
      await this.remove(referenceOf(object), object.metadata.uid);
      removed.push(describe(object));
    }
    return removed;
  }

  /** Only the object with this uid; one that is gone or another one by now is no error. */
  async remove(reference: ObjectReference, uid?: string): Promise<void> {
    try {
      await this.#client.delete(reference, { ...this.#call, uid });
    } catch (error) {
      if (error instanceof KubernetesError && error.kind === 'conflict') return;
      throw error;
    }
  }
}
