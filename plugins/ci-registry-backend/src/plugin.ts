import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { catalogServiceRef } from '@backstage/plugin-catalog-node';
import { eventsServiceRef } from '@backstage/plugin-events-node';
import { notificationService } from '@backstage/plugin-notifications-node';
import { ciRegistryPermissions } from '@rocket/plugin-ci-registry-common';
import {
  readinessServiceRef,
  runningComponentsExtensionPoint,
  type RunningComponentsProvider,
} from '@rocket/plugin-ci-registry-node';
import { criticalPathsServiceRef } from '@rocket/plugin-critical-paths-node';
import { provisioningServiceRef } from '@rocket/plugin-provisioning-node';
import { DatabaseEntityStore } from './database/DatabaseEntityStore';
import type { PushParts } from './database/PushPart';
import { EntityHistory } from './database/history';
import { CatalogChecks } from './service/CatalogChecks';
import { CatalogLookup } from './service/CatalogLookup';
import { CiRegistry } from './service/CiRegistry';
import { EntityValidator } from './service/EntityValidator';
import { PushPreparer } from './service/PushPreparer';
import { PushService } from './service/PushService';
import { RateLimiter } from './service/RateLimiter';
import { readCiRegistryConfig } from './service/config';
import { setUpDelivery } from './service/delivery/setUpDelivery';
import { setUpDocuments } from './service/documents/setUpDocuments';
import { setUpFreshness } from './service/freshness/setUpFreshness';
import { createHistoryRouter } from './service/historyRouter';
import { scheduleHousekeeping } from './service/housekeeping';
import { DatabaseIdentityStore } from './service/identity/DatabaseIdentityStore';
import { PipelineAuthenticator } from './service/identity/PipelineAuthenticator';
import { readIdentityConfig } from './service/identity/config';
import { createDecisionsRouter } from './service/identity/decisionsRouter';
import { loadOpenApi } from './service/openapi';
import {
  createPipelineRouter,
  PIPELINE_READ_PATHS,
} from './service/pipelineRouter';
import { PIPELINE_PATHS, createPushRouter } from './service/pushRouter';
import { createRouter } from './service/router';

/** Takes from pipelines what the catalog should know. */
export const ciRegistryPlugin = createBackendPlugin({
  pluginId: 'ci-registry',
  register(env) {
    const providers = new Map<string, RunningComponentsProvider>();
    env.registerExtensionPoint(runningComponentsExtensionPoint, {
      addProvider(provider) {
        if (providers.has(provider.id)) {
          throw new Error(
            `There is a provider of running components "${provider.id}" already`,
          );
        }
        providers.set(provider.id, provider);
      },
    });
    env.registerInit({
      deps: {
        auditor: coreServices.auditor,
        auth: coreServices.auth,
        catalog: catalogServiceRef,
        config: coreServices.rootConfig,
        criticalPaths: criticalPathsServiceRef,
        database: coreServices.database,
        discovery: coreServices.discovery,
        events: eventsServiceRef,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        logger: coreServices.logger,
        notifications: notificationService,
        permissions: coreServices.permissions,
        permissionsRegistry: coreServices.permissionsRegistry,
        provisioning: provisioningServiceRef,
        readiness: readinessServiceRef,
        scheduler: coreServices.scheduler,
      },
      async init(deps) {
        const settings = readCiRegistryConfig(deps.config);
        const store = await DatabaseEntityStore.create(deps);
        const db = await deps.database.getClient();
        deps.readiness.addCheck('ci-registry database', () => store.ping());

        const identityStore = new DatabaseIdentityStore(db);
        const authenticator = new PipelineAuthenticator({
          ...deps,
          settings: readIdentityConfig(deps.config),
          store: identityStore,
        });
        const history = new EntityHistory(db);
        const delivery = await setUpDelivery(deps);
        const freshness = await setUpFreshness({
          ...deps,
          entities: store,
          graceMs: settings.graceMs,
          providers,
        });
        const documents = await setUpDocuments({ ...deps, entities: store });
        const parts: PushParts = {
          delivery: delivery.writer,
          documents: documents.writer,
        };
        const preparer = new PushPreparer({
          store,
          parts,
          validator: new EntityValidator(settings),
          checks: new CatalogChecks({
            lookup: new CatalogLookup(deps),
            levels: settings.checks,
          }),
        });
        const service = new PushService({ ...deps, store, parts, preparer });
        const registry = new CiRegistry({ ...deps, ...settings, store });

        deps.permissionsRegistry.addPermissions(ciRegistryPermissions);
        // Pipelines have tokens that Backstage does not know; these routes look at them.
        for (const path of [...PIPELINE_PATHS, ...PIPELINE_READ_PATHS]) {
          deps.httpRouter.addAuthPolicy({ path, allow: 'unauthenticated' });
        }
        deps.httpRouter.use(
          await createRouter({
            ...deps,
            registry,
            openapi: await loadOpenApi(),
            parts: [
              createPushRouter({
                ...deps,
                service,
                authenticator,
                limiter: new RateLimiter({
                  perMinute: settings.pushesPerMinute,
                }),
                maxBodyBytes: settings.maxBodyBytes,
              }),
              createPipelineRouter({
                ...deps,
                authenticator,
                store: delivery.store,
              }),
              createHistoryRouter({ ...deps, history }),
              delivery.router,
              documents.router,
              freshness.router,
              createDecisionsRouter({ ...deps, store: identityStore }),
            ],
          }),
        );
        await scheduleHousekeeping({
          ...deps,
          registry,
          forget: [
            before => history.forget(before),
            before => store.forget(before),
            () => authenticator.prune(),
          ],
          retentionMs: settings.retentionMs,
        });
      },
    });
  },
});
