import { KubernetesError } from './errors';
import { groupPath, segment, type Resources } from './resources';
import type { CallOptions, ObjectQuery, ObjectReference } from './types';

/** For people: `apps/v1 Deployment payments/ledger`. */
export const describe = (ref: Partial<ObjectReference>) =>
  `${ref.apiVersion} ${ref.kind} ${[ref.namespace, ref.name]
    .filter(Boolean)
    .join('/')}`.trim();

export const isSecret = (ref: { apiVersion: string; kind: string }) =>
  ref.apiVersion === 'v1' && ref.kind === 'Secret';

/** Where a cluster has objects, by what it says of their kinds. */
export class ObjectPaths {
  readonly #cluster: string;
  readonly #resources: Resources;

  constructor(cluster: string, resources: Resources) {
    this.#cluster = cluster;
    this.#resources = resources;
  }

  async of(ref: ObjectReference, options: CallOptions): Promise<string> {
    const collection = await this.collectionOf(ref, options, true);
    return `${collection}/${this.#safely(ref, 'metadata.name', ref.name)}`;
  }

  /** `one`: of the object's namespace, which a namespaced kind then needs. */
  async collectionOf(
    ref: Partial<ObjectReference> & ObjectQuery,
    { signal, timeoutMs }: CallOptions,
    one = false,
  ): Promise<string> {
    const resource = await this.#resources.find(ref, { signal, timeoutMs });
    if (!resource)
      throw new KubernetesError(
        `Cluster '${this.#cluster}' does not know ${ref.apiVersion} ${
          ref.kind
        }. ` +
          `Check apiVersion and kind, and that its CustomResourceDefinition is installed`,
        { kind: 'not-served', cluster: this.#cluster },
      );
    const field = 'metadata.namespace';
    if (resource.namespaced && one && !ref.namespace)
      throw this.#invalid(ref, field, 'is missing: the kind is namespaced');
    if (!resource.namespaced && ref.namespace)
      throw this.#invalid(
        ref,
        field,
        'must not be set: the kind is not namespaced',
      );
    const base = groupPath(ref.apiVersion);
    return ref.namespace
      ? `${base}/namespaces/${this.#safely(ref, field, ref.namespace)}/${
          resource.plural
        }`
      : `${base}/${resource.plural}`;
  }

  #safely(ref: Partial<ObjectReference>, field: string, name: string): string {
    try {
      return segment(name);
    } catch {
      throw this.#invalid(
        ref,
        field,
        name ? 'is no name of an object' : 'is missing',
      );
    }
  }

  #invalid(ref: Partial<ObjectReference>, field: string, message: string) {
    return new KubernetesError(
      `${describe(ref)} cannot be sent to cluster '${
        this.#cluster
      }': ${field} ${message}`,
      {
        kind: 'validation',
        cluster: this.#cluster,
        fields: [{ field, message }],
      },
    );
  }
}
