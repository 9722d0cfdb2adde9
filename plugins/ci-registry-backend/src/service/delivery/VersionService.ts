import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { stringifyEntityRef } from '@backstage/catalog-model';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import type {
  Deployment,
  VersionsResponse,
} from '@rocket/plugin-ci-registry-common';
import {
  commitKey,
  type DeliveryStore,
} from '../../database/delivery/DeliveryStore';
import { catalogAnswers } from './catalogAnswers';
import { runningVersions } from './running';

/** Components of one system that are looked at. */
const MAX_COMPONENTS = 200;

/** Says what runs where. */
export class VersionService {
  readonly #store: DeliveryStore;
  readonly #catalog: CatalogService;
  readonly #now: () => number;

  constructor(options: {
    store: DeliveryStore;
    catalog: CatalogService;
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#catalog = options.catalog;
    this.#now = options.now ?? Date.now;
  }

  async ofComponent(component: string): Promise<VersionsResponse> {
    return this.#versions([component]);
  }

  /** Of the components that the caller may see. */
  async ofSystem(
    system: string,
    credentials: BackstageCredentials,
  ): Promise<VersionsResponse> {
    const { items } = await catalogAnswers(() =>
      this.#catalog.queryEntities(
        {
          filter: { kind: 'component', 'relations.partOf': system },
          fields: ['kind', 'metadata.namespace', 'metadata.name'],
          limit: MAX_COMPONENTS,
        },
        { credentials },
      ),
    );
    return this.#versions(items.map(entity => stringifyEntityRef(entity)));
  }

  async #versions(components: string[]): Promise<VersionsResponse> {
    const recent = await this.#store.recentDeployments(components);
    const byComponent = new Map<string, Deployment[]>();
    for (const deployment of recent) {
      const list = byComponent.get(deployment.component) ?? [];
      list.push(deployment);
      byComponent.set(deployment.component, list);
    }
    const builds = await this.#store.buildsOf(recent);
    const items = [];
    for (const [component, deployments] of [...byComponent].sort(([a], [b]) =>
      a < b ? -1 : 1,
    )) {
      items.push(
        ...runningVersions(
          component,
          deployments,
          await this.#store.commitsOf(component),
          commit => builds.get(commitKey(component, commit)),
        ),
      );
    }
    return { items, generatedAt: new Date(this.#now()).toISOString() };
  }
}
