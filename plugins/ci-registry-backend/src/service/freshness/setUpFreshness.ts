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
import type { NotificationService } from '@backstage/plugin-notifications-node';
import type { RunningComponentsProvider } from '@rocket/plugin-ci-registry-node';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import type { Router } from 'express';
import type { EntityStore } from '../../database/EntityStore';
import { DatabaseFreshnessStore } from '../../database/freshness/DatabaseFreshnessStore';
import { FreshnessService } from './FreshnessService';
import { LocalRuntimeProvider } from './LocalRuntimeProvider';
import { sendNotices } from './notices';
import { createFreshnessRouter } from './router';
import { readFreshnessSettings } from './settings';

/** Freshness of entities; call it after the migrations. */
export async function setUpFreshness(options: {
  auth: AuthService;
  catalog: CatalogService;
  config: RootConfigService;
  database: DatabaseService;
  entities: EntityStore;
  /** How long what is gone stays in the catalog, milliseconds. */
  graceMs: number;
  httpAuth: HttpAuthService;
  logger: LoggerService;
  notifications: NotificationService;
  permissions: PermissionsService;
  /** Those of modules; Rocket's own runtime comes on top. */
  providers: ReadonlyMap<string, RunningComponentsProvider>;
  provisioning: ProvisioningService;
  scheduler: SchedulerService;
}): Promise<{ router: Router }> {
  const settings = readFreshnessSettings(options.config);
  const store = new DatabaseFreshnessStore(await options.database.getClient());
  const local = new LocalRuntimeProvider(options);
  const service = new FreshnessService({
    ...options,
    store,
    settings,
    providers: new Map([...options.providers, [local.id, local]]),
  });
  await options.scheduler.scheduleTask({
    ...settings.schedule,
    id: 'ci-registry-freshness',
    scope: 'global',
    fn: async signal => {
      await service.refresh(signal);
      await sendNotices({ ...options, ...settings, store });
    },
  });
  return { router: createFreshnessRouter({ ...options, service, store }) };
}
