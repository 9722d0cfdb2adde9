import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { catalogServiceRef } from '@backstage/plugin-catalog-node';
import { eventsServiceRef } from '@backstage/plugin-events-node';
import { ciRegistryPermissions } from '@rocket/plugin-ci-registry-common';
import { readinessServiceRef } from '@rocket/plugin-ci-registry-node';
import { DatabaseEntityStore } from './database/DatabaseEntityStore';
import type { PushParts } from './database/PushPart';
import { EntityHistory } from './database/history';
import { CatalogChecks } from './service/CatalogChecks';
import { CatalogLookup } from './service/CatalogLookup';
import { CiRegistry } from './service/CiRegistry';
import { EntityValidator } from './service/EntityValidator';
import { PushService } from './service/PushService';
import { RateLimiter } from './service/RateLimiter';
import { readCiRegistryConfig } from './service/config';
import { createHistoryRouter } from './service/historyRouter';
import { scheduleHousekeeping } from './service/housekeeping';
import { DatabaseIdentityStore } from './service/identity/DatabaseIdentityStore';
import { PipelineAuthenticator } from './service/identity/PipelineAuthenticator';
import { readIdentityConfig } from './service/identity/config';
import { createDecisionsRouter } from './service/identity/decisionsRouter';
import { loadOpenApi } from './service/openapi';
import { PIPELINE_PATHS, createPushRouter } from './service/pushRouter';
import { createRouter } from './service/router';

/** Takes from pipelines what the catalog should know. */
export const ciRegistryPlugin = createBackendPlugin({
  pluginId: 'ci-registry',
  register(env) {
    env.registerInit({
      deps: {
        auditor: coreServices.auditor,
        auth: coreServices.auth,
        catalog: catalogServiceRef,
        config: coreServices.rootConfig,
        database: coreServices.database,
        events: eventsServiceRef,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        logger: coreServices.logger,
        permissions: coreServices.permissions,
        permissionsRegistry: coreServices.permissionsRegistry,
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
        const parts: PushParts = {};
        const service = new PushService({
          ...deps,
          store,
          parts,
          validator: new EntityValidator(settings),
          checks: new CatalogChecks({
            lookup: new CatalogLookup(deps),
            levels: settings.checks,
          }),
        });
        const registry = new CiRegistry({ ...deps, ...settings, store });

        deps.permissionsRegistry.addPermissions(ciRegistryPermissions);
        // Pipelines have tokens that Backstage does not know; these routes look at them.
        for (const path of PIPELINE_PATHS) {
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
              createHistoryRouter({ ...deps, history }),
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
