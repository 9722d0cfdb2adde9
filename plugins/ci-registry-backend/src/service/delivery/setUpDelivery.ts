import type {
  AuthService,
  DatabaseService,
  HttpAuthService,
  LoggerService,
  PermissionsService,
  RootConfigService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import type { CriticalPathsService } from '@rocket/plugin-critical-paths-node';
import type { Router } from 'express';
import { DatabaseDeliveryStore } from '../../database/delivery/DatabaseDeliveryStore';
import { DatabaseDeliveryWriter } from '../../database/delivery/DatabaseDeliveryWriter';
import type { DeliveryStore } from '../../database/delivery/DeliveryStore';
import type { DeliveryWriter } from '../../database/PushPart';
import { ChangeReporter } from './ChangeReporter';
import { DoraService } from './DoraService';
import { IncidentReader } from './IncidentReader';
import { createDeliveryRouter } from './router';
import { readDeliverySettings, type DeliverySettings } from './settings';
import { VersionService } from './VersionService';

/** Builds and deployments; call it after the migrations. */
export async function setUpDelivery(options: {
  auth: AuthService;
  catalog: CatalogService;
  config: RootConfigService;
  criticalPaths: CriticalPathsService;
  database: DatabaseService;
  httpAuth: HttpAuthService;
  logger: LoggerService;
  permissions: PermissionsService;
  scheduler: SchedulerService;
}): Promise<{
  writer: DeliveryWriter;
  router: Router;
  store: DeliveryStore;
  settings: DeliverySettings;
}> {
  const { logger, scheduler } = options;
  const settings = readDeliverySettings(options.config);
  const store = new DatabaseDeliveryStore(
    await options.database.getClient(),
    settings,
  );
  const reporter = new ChangeReporter({ ...options, store });

  await scheduler.scheduleTask({
    id: 'ci-registry-delivery-changes',
    scope: 'global',
    frequency: { seconds: 30 },
    timeout: { minutes: 9 },
    initialDelay: { seconds: 10 },
    fn: async () => {
      await reporter.tell();
    },
  });
  await scheduler.scheduleTask({
    id: 'ci-registry-delivery-retention',
    scope: 'global',
    frequency: { hours: 6 },
    timeout: { minutes: 30 },
    initialDelay: { minutes: 5 },
    fn: async () => {
      const deleted = await store.prune(Date.now() - settings.retentionMs);
      logger.debug(
        `Retention deleted ${deleted} rows of builds and deployments`,
      );
    },
  });

  return {
    settings,
    store,
    writer: new DatabaseDeliveryWriter({
      liveEnvironments: settings.liveEnvironments,
      stored: () => void reporter.wake(),
    }),
    router: createDeliveryRouter({
      ...options,
      store,
      versions: new VersionService({ ...options, store }),
      dora: new DoraService({
        ...options,
        store,
        settings,
        incidents: new IncidentReader(options),
      }),
    }),
  };
}
