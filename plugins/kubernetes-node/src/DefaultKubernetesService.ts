import type { LoggerService } from '@backstage/backend-plugin-api';
import { NotFoundError } from '@backstage/errors';
import { Caller, type CallerOptions } from './caller';
import type { ClustersSettings } from './config';
import { ClientNodeConnection } from './connection';
import { DefaultKubernetesClient } from './DefaultKubernetesClient';
import type {
  KubernetesClient,
  KubernetesCluster,
  KubernetesService,
} from './types';

interface Entry {
  cluster: KubernetesCluster;
  client: KubernetesClient;
  connection: ClientNodeConnection;
}

/** One client and one set of connections for each cluster. */
export class DefaultKubernetesService implements KubernetesService {
  readonly #entries = new Map<string, Entry>();
  readonly #unusable: Map<string, string>;

  constructor(
    options: {
      settings: ClustersSettings;
      logger: LoggerService;
    } & Pick<CallerOptions, 'random' | 'delay'>,
  ) {
    const { settings, ...rest } = options;
    this.#unusable = settings.unusable;
    for (const cluster of settings.clusters) {
      const { name, title, url } = cluster;
      const connection = new ClientNodeConnection(cluster);
      const caller = new Caller({ ...rest, cluster: name, connection });
      this.#entries.set(name, {
        cluster: { name, url, ...(title ? { title } : {}) },
        client: new DefaultKubernetesClient(caller),
        connection,
      });
    }
  }

  listClusters(): KubernetesCluster[] {
    return [...this.#entries.values()].map(({ cluster }) => cluster);
  }

  getClient(name: string): KubernetesClient {
    const entry = this.#entries.get(name);
    if (entry) return entry.client;
    const reason = this.#unusable.get(name);
    if (reason)
      throw new NotFoundError(`Rocket cannot use cluster '${name}': ${reason}`);
    const names = [...this.#entries.keys()].join(', ');
    throw new NotFoundError(
      `There is no cluster named '${name}'. ${
        names
          ? `Configured clusters: ${names}`
          : 'No cluster is configured in kubernetes.clusterLocatorMethods'
      }`,
    );
  }

  close(): void {
    for (const { connection } of this.#entries.values()) connection.close();
  }
}
