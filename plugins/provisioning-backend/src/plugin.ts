import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import express from 'express';
import {
  coreServices,
  createBackendPlugin,
  resolvePackagePath,
} from '@backstage/backend-plugin-api';
import { catalogServiceRef } from '@backstage/plugin-catalog-node';
import { notificationService } from '@backstage/plugin-notifications-node';
import { ciRegistryServiceRef } from '@rocket/plugin-ci-registry-node';
import { provisioningPermissions } from '@rocket/plugin-provisioning-common';
import {
  provisioningEffectsExtensionPoint,
  provisioningRuntimesExtensionPoint,
  type Runtime,
} from '@rocket/plugin-provisioning-node';
import { parse } from 'yaml';
import { readProvisioningConfig } from './config';
import { createEffects } from './effects/createEffects';
import { EffectHandlers } from './effects/EffectHandlers';
import { LocalServiceHandler } from './effects/handlers/LocalServiceHandler';
import { PostgresDatabaseHandler } from './effects/handlers/PostgresDatabaseHandler';
import { setUpEnvironments } from './environments/setUpEnvironments';
import { GitAccess } from './git/GitAccess';
import { GitHost } from './git/GitHost';
import { createGitRouter } from './git/gitRouter';
import { DatabaseServers, type DatabaseServer } from './local/DatabaseServers';
import { LocalRuntime } from './local/LocalRuntime';
import { EmbeddedPostgres, ExternalPostgres } from './local/PostgresServer';
import { ServiceDatabases } from './local/ServiceDatabases';
import { CREDENTIALS } from './local/ServicePreparation';
import { createServiceKinds } from './operations/createServiceKinds';
import { RetireHandler, UndoHandler } from './operations/removalKinds';
import { setUpOperations } from './operations/setUpOperations';
import { Access } from './service/Access';
import { DatabaseRepositoryStore } from './service/DatabaseRepositoryStore';
import { DatabaseServiceStore } from './service/DatabaseServiceStore';
import { DeploymentReports } from './service/DeploymentReports';
import { RouteGuard } from './service/http';
import { RepositoryService } from './service/RepositoryService';
import { createRouter } from './service/router';
import { ServiceManager } from './service/ServiceManager';

/** Git host, runtimes, and the API over both. */
export const provisioningPlugin = createBackendPlugin({
  pluginId: 'provisioning',
  register(env) {
    const runtimes = new Map<string, Runtime>();
    env.registerExtensionPoint(provisioningRuntimesExtensionPoint, {
      addRuntime(runtime) {
        if (runtime.id === 'local' || runtimes.has(runtime.id)) {
          throw new Error(`The runtime '${runtime.id}' is already registered`);
        }
        runtimes.set(runtime.id, runtime);
      },
    });
    const handlers = new EffectHandlers();
    env.registerExtensionPoint(provisioningEffectsExtensionPoint, {
      addEffectHandler: handler => handlers.add(handler),
    });
    env.registerInit({
      deps: {
        auditor: coreServices.auditor,
        auth: coreServices.auth,
        catalog: catalogServiceRef,
        config: coreServices.rootConfig,
        database: coreServices.database,
        discovery: coreServices.discovery,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        lifecycle: coreServices.lifecycle,
        logger: coreServices.logger,
        notifications: notificationService,
        permissions: coreServices.permissions,
        permissionsRegistry: coreServices.permissionsRegistry,
        registry: ciRegistryServiceRef,
        scheduler: coreServices.scheduler,
        userInfo: coreServices.userInfo,
      },
      async init(deps) {
        const { auditor, auth, logger } = deps;
        const config = readProvisioningConfig(deps.config);
        const db = await deps.database.getClient();
        if (!deps.database.migrations?.skip) {
          await db.migrate.latest({
            directory: resolvePackagePath(
              '@rocket/plugin-provisioning-backend',
              'migrations',
            ),
          });
        }
        const store = new DatabaseRepositoryStore(db);
        const services = new DatabaseServiceStore(db);
        const access = new Access(deps);
        const host = new GitHost(join(config.dataDir, 'git'));
        const { enabled, postgres, ...local } = config.local;
        const databaseServers: DatabaseServer[] = config.databases.servers.map(
          ({ name, url }) => ({
            name,
            databases: new ServiceDatabases(
              new ExternalPostgres(url),
              service =>
                join(config.dataDir, 'credentials', name, `${service}.json`),
            ),
          }),
        );
        if (enabled) {
          const directory = join(config.dataDir, 'postgres');
          const databases = new ServiceDatabases(
            postgres.url
              ? new ExternalPostgres(postgres.url)
              : new EmbeddedPostgres({
                  directory,
                  port: postgres.port,
                  logger,
                }),
            service => join(config.dataDir, 'services', service, CREDENTIALS),
          );
          databaseServers.push({
            name: 'local',
            databases,
            directory: postgres.url ? undefined : directory,
          });
          runtimes.set(
            'local',
            new LocalRuntime({
              ...local,
              directory: join(config.dataDir, 'services'),
              registry: services,
              databases,
              logger,
            }),
          );
        }
        const allDatabases = new DatabaseServers(databaseServers);
        const environments = setUpEnvironments({ ...deps, db, access });
        const { elsewhere } = environments;
        handlers.add(
          new PostgresDatabaseHandler({
            ...config.databases,
            servers: allDatabases,
            elsewhere,
          }),
        );
        const reports = new DeploymentReports({
          ...deps,
          db,
          host,
          wants: environments.isLasting,
        });
        const manager = new ServiceManager({
          environments: environments.service,
          listener: reports,
          store: services,
          repositories: store,
          host,
          runtimes,
          access,
          logger,
        });
        const repositories = new RepositoryService({
          store,
          services,
          host,
          access,
          catalog: deps.catalog,
          discovery: deps.discovery,
        });
        for (const runtime of runtimes.keys()) {
          if (runtime === 'local') continue;
          handlers.add(
            new LocalServiceHandler({ ...deps, services: manager, runtime }),
          );
        }
        const { ledger, preflight, upkeep } = createEffects({
          ...deps,
          handlers,
          db,
          elsewhere,
          config: config.effects,
          access,
          host,
          repositories,
          services: manager,
        });
        const serviceKinds = createServiceKinds({
          ...deps,
          ledger,
          host,
          manager,
          services,
          environments: environments.service,
        });
        const { operations } = await setUpOperations({
          ...deps,
          db,
          ledger,
          access,
          rules: environments.rules,
          handlers: [
            new UndoHandler(ledger, environments.protectedPlaces),
            new RetireHandler({
              ledger,
              services: manager,
              protectedPlaces: environments.protectedPlaces,
            }),
            ...serviceKinds.handlers,
            ...environments.createKinds({
              ...serviceKinds.kinds,
              ledger,
              host,
            }),
          ],
        });
        await environments.scheduleSweeps({ ledger, operations });
        const gitAccess = new GitAccess({
          store,
          access,
          auth,
          ttlMs: config.git.tokenTtlMs,
        });

        await host.prepare();
        deps.lifecycle.addShutdownHook(async () => {
          await ledger.close();
          await manager.shutdown();
        });
        await manager.resume();
        await upkeep.schedule(deps.scheduler);
        await deps.scheduler.scheduleTask({
          id: 'provisioning-deployment-reports',
          scope: 'local',
          frequency: { seconds: 30 },
          timeout: { minutes: 5 },
          initialDelay: { seconds: 10 },
          fn: () => reports.send(),
        });

        deps.permissionsRegistry.addPermissions(provisioningPermissions);
        // Git clients speak Basic; GitAccess checks each of these requests.
        deps.httpRouter.addAuthPolicy({
          path: '/git',
          allow: 'unauthenticated',
        });
        const git = await createGitRouter({
          host,
          access: gitAccess,
          auditor,
          logger,
          limits: config.git,
        });
        const api = createRouter({
          httpAuth: deps.httpAuth,
          guard: new RouteGuard({ ...deps, access }),
          access,
          gitAccess,
          repositories,
          services: manager,
          ledger,
          preflight,
          operations,
          environments: environments.service,
          databases: allDatabases,
          protectedPlaces: environments.protectedPlaces,
          openapi: parse(
            await readFile(
              resolvePackagePath(
                '@rocket/plugin-provisioning-backend',
                'src/schema/openapi.yaml',
              ),
              'utf8',
            ),
          ),
        });
        // Git first: its bodies are streamed, and no parser may touch them.
        deps.httpRouter.use(express.Router().use('/git', git));
        deps.httpRouter.use(api);
      },
    });
  },
});
