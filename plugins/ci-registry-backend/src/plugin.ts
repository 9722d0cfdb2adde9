import { readFile } from 'node:fs/promises';
import {
  coreServices,
  createBackendPlugin,
  resolvePackagePath,
} from '@backstage/backend-plugin-api';
import { catalogServiceRef } from '@backstage/plugin-catalog-node';
import { eventsServiceRef } from '@backstage/plugin-events-node';
import { ciRegistryPermissions } from '@rocket/plugin-ci-registry-common';
import { parse } from 'yaml';
import { DatabaseEntityStore } from './database/DatabaseEntityStore';
import { CiRegistry } from './service/CiRegistry';
import { EntityValidator } from './service/EntityValidator';
import { readCiRegistryConfig } from './service/config';
import { createRouter } from './service/router';

/** Takes catalog entities from pipelines. */
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
      },
      async init(deps) {
        const settings = readCiRegistryConfig(deps.config);
        const registry = new CiRegistry({
          ...deps,
          store: await DatabaseEntityStore.create(deps),
          validator: new EntityValidator(settings),
        });
        deps.permissionsRegistry.addPermissions(ciRegistryPermissions);
        deps.httpRouter.use(
          await createRouter({
            ...deps,
            ...settings,
            registry,
            openapi: parse(
              await readFile(
                resolvePackagePath(
                  '@rocket/plugin-ci-registry-backend',
                  'src/schema/openapi.yaml',
                ),
                'utf8',
              ),
            ),
          }),
        );
      },
    });
  },
});
