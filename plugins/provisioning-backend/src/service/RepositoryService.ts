import type {
  BackstageCredentials,
  DiscoveryService,
} from '@backstage/backend-plugin-api';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import { ConflictError } from '@backstage/errors';
import type {
  NameAvailability,
  Repository,
} from '@rocket/plugin-provisioning-common';
import { DEFAULT_BRANCH, type GitHost } from '../git/GitHost';
import type { Access } from './Access';
import { assertServiceName } from './names';
import type { RepositoryRecord, RepositoryStore } from './RepositoryStore';
import type { ServiceStore } from './ServiceStore';

export interface CreateRepositoryRequest {
  name: string;
  owner: string;
  description?: string;
  /** The same id again gets the same repository, even after the first push. */
  requestId?: string;
}

/** Repositories on the local Git host, and who has which name. */
export class RepositoryService {
  readonly #deps: {
    store: RepositoryStore;
    services: ServiceStore;
    host: GitHost;
    access: Access;
    catalog: CatalogService;
    discovery: DiscoveryService;
  };

  constructor(deps: {
    store: RepositoryStore;
    services: ServiceStore;
    host: GitHost;
    access: Access;
    catalog: CatalogService;
    discovery: DiscoveryService;
  }) {
    this.#deps = deps;
  }

  async create(
    request: CreateRepositoryRequest,
    credentials: BackstageCredentials,
  ): Promise<Repository> {
    const { store, host, access } = this.#deps;
    const name = assertServiceName(request.name);
    await access.requireOwner(credentials, request.owner);
    const record: RepositoryRecord = {
      name,
      owner: request.owner,
      description: request.description,
      defaultBranch: DEFAULT_BRANCH,
      createdBy: access.describe(credentials),
      createdAt: new Date().toISOString(),
      requestId: request.requestId,
    };
    // The row first: whoever wrote it has the name, also when the process dies before the next line.
    const inserted = await store.insertRepository(record);
    const kept = inserted ? record : (await store.getRepository(name))!;
    if (!inserted && kept.owner !== request.owner) {
      throw new ConflictError(
        `The repository '${name}' exists and belongs to ${kept.owner}; choose another name`,
      );
    }
    await host.create(name);
    if (!inserted) {
      const repeated =
        request.requestId !== undefined && kept.requestId === request.requestId;
      if (!repeated && !(await host.isEmpty(name))) {
        throw new ConflictError(
          `The repository '${name}' exists and is not empty; choose another name`,
        );
      }
    }
    return this.#toRepository(kept);
  }

  async get(name: string): Promise<Repository | undefined> {
    const record = await this.#deps.store.getRepository(
      assertServiceName(name),
    );
    return record && this.#toRepository(record);
  }

  async list(): Promise<Repository[]> {
    const records = await this.#deps.store.listRepositories();
    return Promise.all(records.map(record => this.#toRepository(record)));
  }

  /**
   * Deletes the repository that the request made, if it is empty or holds only
   * `pushed`. Nothing to do when there is none.
   * @returns for `touched`, what else is in it
   */
  async removeUntouched(
    name: string,
    requestId: string,
    pushed: { commit?: string; tree?: string },
  ): Promise<
    { outcome: 'removed' | 'foreign' } | { outcome: 'touched'; by: string }
  > {
    const { store, host } = this.#deps;
    const record = await store.getRepository(assertServiceName(name));
    // The row is the last to go.
    if (!record) return { outcome: 'removed' };
    if (record.requestId !== requestId) return { outcome: 'foreign' };
    // Nobody pushes between the look and the removal.
    await store.setArchived(name, new Date().toISOString());
    if (await host.find(name)) {
      const foreign = (await host.heads(name)).filter(
        ({ commit, tree, root }) =>
          commit !== pushed.commit && !(root && tree === pushed.tree),
      );
      if (foreign.length) {
        await store.setArchived(name, undefined);
        return {
          outcome: 'touched',
          by: foreign
            .slice(0, 5)
            .map(({ ref, commit }) => `${ref} at ${commit.slice(0, 12)}`)
            .join(', '),
        };
      }
      await host.remove(name);
    }
    await store.deleteRepository(name);
    return { outcome: 'removed' };
  }

  /** Makes the repository that the request made read-only; its content stays. False when it made none. */
  async archive(name: string, requestId: string): Promise<boolean> {
    const { store } = this.#deps;
    const record = await store.getRepository(assertServiceName(name));
    if (record?.requestId !== requestId) return false;
    if (!record.archivedAt) {
      await store.setArchived(name, new Date().toISOString());
    }
    return true;
  }

  /** The row and whether its directory is there. */
  async inspect(name: string) {
    const { store, host } = this.#deps;
    const record = await store.getRepository(assertServiceName(name));
    return { record, exists: (await host.find(name)) !== undefined };
  }

  /** Looks where a new service would write, with the eyes of who asks. */
  async checkName(
    name: string,
    credentials: BackstageCredentials,
  ): Promise<NameAvailability> {
    assertServiceName(name);
    const { store, services, catalog } = this.#deps;
    const [repository, service, entity] = await Promise.all([
      store.getRepository(name),
      services.get(name),
      catalog.getEntityByRef(
        { kind: 'Component', namespace: 'default', name },
        { credentials },
      ),
    ]);
    if (entity) {
      return {
        name,
        available: false,
        reason: `The catalog has a component '${name}' already`,
      };
    }
    if (repository) {
      return {
        name,
        available: false,
        reason: `There is a repository '${name}' already; it belongs to ${repository.owner}`,
      };
    }
    if (service) {
      return {
        name,
        available: false,
        reason: `There is a service '${name}' already; it belongs to ${service.owner}`,
      };
    }
    return { name, available: true };
  }

  async #toRepository(record: RepositoryRecord): Promise<Repository> {
    const base = await this.#deps.discovery.getExternalBaseUrl('provisioning');
    return {
      name: record.name,
      owner: record.owner,
      description: record.description,
      defaultBranch: record.defaultBranch,
      cloneUrl: `${base}/git/${record.name}.git`,
      createdAt: record.createdAt,
      createdBy: record.createdBy,
      archivedAt: record.archivedAt,
    };
  }
}
