import {
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import { readClusters } from './config';
import { DefaultKubernetesService } from './DefaultKubernetesService';
import type { KubernetesService } from './types';

/**
 * The clusters of `kubernetes.clusterLocatorMethods` for backend plugins. One
 * instance serves all plugins of a process, so that they share connections.
 */
export const kubernetesServiceRef = createServiceRef<KubernetesService>({
  id: 'rocket.kubernetes',
  scope: 'root',
  defaultFactory: async service =>
    createServiceFactory({
      service,
      deps: {
        config: coreServices.rootConfig,
        logger: coreServices.rootLogger,
        lifecycle: coreServices.rootLifecycle,
      },
      factory: ({ config, logger, lifecycle }) => {
        const clusters = new DefaultKubernetesService({
          settings: readClusters(config),
          logger: logger.child({ service: 'rocket.kubernetes' }),
        });
        lifecycle.addShutdownHook(() => clusters.close());
        return clusters;
      },
    }),
});
