import type { Caller } from './caller';
import { KubernetesError } from './errors';
import type { ApiResource, CallOptions } from './types';

const KEEP_MS = 5 * 60_000;
const AT_ONCE = 8;

interface ResourceList {
  resources?: {
    name: string;
    kind: string;
    namespaced: boolean;
    verbs?: string[];
  }[];
}

/** `/api/v1` or `/apis/<group>/<version>`. */
export function groupPath(apiVersion: string): string {
  const parts = apiVersion.split('/');
  return parts.length === 1
    ? `/api/${segment(apiVersion)}`
    : `/apis/${parts.map(segment).join('/')}`;
}

/**
 * One segment of a path. Names go in as they are, whatever they hold; none may
 * lead the path elsewhere.
 */
export function segment(name: string): string {
  if (!name || name === '.' || name === '..' || /[/%]/.test(name))
    throw new TypeError(
      `'${name}' cannot be part of a Kubernetes path: '', '.', '..' and names with '/' or '%' are not allowed`,
    );
  return encodeURIComponent(name);
}

/** What kinds a cluster serves, by its discovery; kept for a while. */
export class Resources {
  readonly #caller: Caller;
  readonly #now: () => number;
  readonly #known = new Map<
    string,
    { at: number; resources: Promise<ApiResource[]> }
  >();

  constructor(caller: Caller, now: () => number = Date.now) {
    this.#caller = caller;
    this.#now = now;
  }

  async find(
    { apiVersion, kind }: Pick<ApiResource, 'apiVersion' | 'kind'>,
    options: CallOptions,
  ): Promise<ApiResource | undefined> {
    const kept = this.#known.get(apiVersion);
    const find = async () =>
      (await this.#load(apiVersion, options)).find(r => r.kind === kind);
    const found = await find();
    // What was not served a while ago may have been installed since.
    if (found || !kept || this.#known.get(apiVersion) !== kept) return found;
    this.#known.delete(apiVersion);
    return await find();
  }

  forget(apiVersion: string): void {
    this.#known.delete(apiVersion);
  }

  async list(options: CallOptions) {
    const { body } = await this.#caller.json<{
      groups?: { versions?: { groupVersion: string }[] }[];
    }>(
      {
        action: 'list its API groups',
        method: 'GET',
        path: '/apis',
        idempotent: true,
      },
      options,
    );
    const versions = [
      'v1',
      ...(body.groups ?? []).flatMap(group =>
        (group.versions ?? []).map(version => version.groupVersion),
      ),
    ];
    const resources: ApiResource[] = [];
    const failed: string[] = [];
    const waiting = [...versions];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
          try {
            this.forget(next);
            resources.push(...(await this.#load(next, options)));
          } catch (error) {
            options.signal?.throwIfAborted();
            if (!(error instanceof KubernetesError)) throw error;
            failed.push(next);
          }
        }
      }),
    );
    const order = (name: string) => versions.indexOf(name);
    return {
      resources: resources.sort(
        (a, b) =>
          order(a.apiVersion) - order(b.apiVersion) ||
          a.kind.localeCompare(b.kind),
      ),
      failed: failed.sort((a, b) => order(a) - order(b)),
    };
  }

  async #load(
    apiVersion: string,
    options: CallOptions,
  ): Promise<ApiResource[]> {
    const kept = this.#known.get(apiVersion);
    if (kept && this.#now() - kept.at < KEEP_MS) return await kept.resources;
    const entry = {
      at: this.#now(),
      // Not with the caller's signal: others may wait for the same answer.
      resources: this.#ask(apiVersion, { timeoutMs: options.timeoutMs }),
    };
    this.#known.set(apiVersion, entry);
    try {
      return await entry.resources;
    } catch (error) {
      if (this.#known.get(apiVersion) === entry) this.forget(apiVersion);
      throw error;
    }
  }

  async #ask(apiVersion: string, options: CallOptions): Promise<ApiResource[]> {
    try {
      const { body } = await this.#caller.json<ResourceList>(
        {
          action: `discover ${apiVersion}`,
          method: 'GET',
          path: groupPath(apiVersion),
          idempotent: true,
        },
        options,
      );
      return (body.resources ?? [])
        .filter(resource => !resource.name.includes('/'))
        .map(({ name, kind, namespaced, verbs = [] }) => ({
          apiVersion,
          kind,
          plural: name,
          namespaced,
          verbs,
        }));
    } catch (error) {
      if (error instanceof KubernetesError && error.status === 404) return [];
      throw error;
    }
  }
}
