import {
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import { readNewRelicSettings } from './config';
import { DefaultNewRelicService } from './DefaultNewRelicService';
import type { NewRelicService } from './types';

/**
 * New Relic for backend plugins, configured in `newrelic`. One instance serves
 * all plugins of a process, so that they share its concurrency limit.
 */
export const newRelicServiceRef = createServiceRef<NewRelicService>({
  id: 'rocket.newrelic',
  scope: 'root',
  defaultFactory: async service =>
    createServiceFactory({
      service,
      deps: {
        config: coreServices.rootConfig,
        logger: coreServices.rootLogger,
      },
      factory: ({ config, logger }) =>
        new DefaultNewRelicService({
          settings: readNewRelicSettings(config),
          logger: logger.child({ service: 'rocket.newrelic' }),
        }),
    }),
});
