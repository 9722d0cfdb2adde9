import {
  coreServices,
  createBackendPlugin,
  resolvePackagePath,
} from '@backstage/backend-plugin-api';
import { actionsRegistryServiceRef } from '@backstage/backend-plugin-api/alpha';
import { catalogServiceRef } from '@backstage/plugin-catalog-node';
import { notificationService } from '@backstage/plugin-notifications-node';
import { criticalPathsPermissions } from '@rocket/plugin-critical-paths-common';
import {
  telemetrySourcesExtensionPoint,
  type TelemetrySource,
} from '@rocket/plugin-critical-paths-node';
import { provisioningServiceRef } from '@rocket/plugin-provisioning-node';
import { readFile } from 'fs/promises';
import { parse } from 'yaml';
import { setUpAlerts } from './alerts/setUpAlerts';
import { registerActions } from './actions/registerActions';
import { BurnBook } from './burn/BurnBook';
import { BurnRollup } from './burn/BurnRollup';
import { scheduleRollup } from './burn/schedule';
import { ChangeCollector } from './changes/ChangeCollector';
import { DatabaseChangeStore } from './changes/DatabaseChangeStore';
import { createChangesRouter } from './changes/router';
import { SignalReader } from './changes/SignalReader';
import { ServiceLevelCollector } from './changes/ServiceLevelCollector';
import { Collector } from './collector/Collector';
import { scheduleCollection } from './collector/schedule';
import { Bodies } from './service/Bodies';
import { createOpenSloRouter } from './openslo/router';
import { BudgetService } from './service/BudgetService';
import { FigureService } from './service/FigureService';
import { PathDirectory } from './service/PathDirectory';
import { MAX_PAGES } from './service/pages';
import { PageWarmer } from './service/PageWarmer';
import { PathDetails } from './service/PathDetails';
import { PathService } from './service/PathService';
import { PolicyService } from './service/PolicyService';
import { createRouter } from './service/router';
import { StoredSignals } from './service/StoredSignals';
import { readSettings } from './settings';
import { DatabaseBurnStore } from './store/BurnStore';
import { DatabasePolicyStore } from './store/PolicyStore';
import { DatabaseSignalStore } from './store/DatabaseSignalStore';
import { setUpWorkflows } from './workflows/setUpWorkflows';

/** Collects, stores and serves the golden signals of critical paths. */
export const criticalPathsPlugin = createBackendPlugin({
  pluginId: 'critical-paths',
  register(env) {
    const sources = new Map<string, TelemetrySource>();
    env.registerExtensionPoint(telemetrySourcesExtensionPoint, {
      addSource(source) {
        if (sources.has(source.id)) {
          throw new Error(`There is a telemetry source "${source.id}" already`);
        }
        sources.set(source.id, source);
      },
    });
    env.registerInit({
      deps: {
        actionsRegistry: actionsRegistryServiceRef,
        auditor: coreServices.auditor,
        auth: coreServices.auth,
        catalog: catalogServiceRef,
        config: coreServices.rootConfig,
        database: coreServices.database,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        lifecycle: coreServices.lifecycle,
        logger: coreServices.logger,
        notifications: notificationService,
        permissions: coreServices.permissions,
        permissionsRegistry: coreServices.permissionsRegistry,
        provisioning: provisioningServiceRef,
        scheduler: coreServices.scheduler,
      },
      async init(deps) {
        const { auth, catalog, logger, httpAuth, permissions } = deps;
        const settings = readSettings(deps.config);
        const store = await DatabaseSignalStore.create({
          database: deps.database,
        });
        const directory = new PathDirectory({ catalog, auth, logger });
        const collector = new Collector({
          store,
          directory,
          sources,
          settings,
          logger,
        });
        const changeStore = new DatabaseChangeStore(
          await deps.database.getClient(),
        );
        const policyStore = await DatabasePolicyStore.create({
          database: deps.database,
        });
        const burnStore = await DatabaseBurnStore.create({
          database: deps.database,
        });
        const signals = new StoredSignals({
          store,
          policy: policyStore,
          settings,
        });
        const budgets = new BudgetService({ signals, directory });
        const book = new BurnBook({ store: burnStore });
        const workflows = await setUpWorkflows({
          ...deps,
          directory,
          policy: policyStore,
        });
        const service = new PathService({
          figures: new FigureService({
            signals,
            budgets,
            book,
            directory,
            workflows: workflows.reader,
          }),
          details: new PathDetails({
            signals,
            budgets,
            book,
            store,
            burns: burnStore,
            changes: changeStore,
            settings,
          }),
          signals,
          directory,
          settings,
        });
        const pages = new Bodies({ max: MAX_PAGES });
        const warmer = new PageWarmer({ service, pages, auth });
        const policy = new PolicyService({
          policy: policyStore,
          store,
          directory,
          settings,
          changed: () => signals.expire(),
        });
        deps.permissionsRegistry.addPermissions(criticalPathsPermissions);
        const { collect } = await scheduleCollection({
          collector,
          changeCollector: new ChangeCollector({
            store: changeStore,
            directory,
            sources,
            settings,
            logger,
          }),
          serviceLevelCollector: new ServiceLevelCollector({
            store: changeStore,
            signals: store,
            directory,
            sources,
            logger,
          }),
          store,
          changeStore,
          settings,
          logger,
          scheduler: deps.scheduler,
        });
        await scheduleRollup({
          rollup: new BurnRollup({
            store,
            burns: burnStore,
            policy: policyStore,
            changes: changeStore,
            directory,
            settings,
            logger,
          }),
          burns: burnStore,
          policy: policyStore,
          settings,
          logger,
          scheduler: deps.scheduler,
        });
        registerActions({ ...deps, service });
        deps.httpRouter.use(workflows.router);
        deps.httpRouter.use(createOpenSloRouter({ ...deps, directory }));
        deps.httpRouter.use(
          createChangesRouter({
            store: changeStore,
            signals: new SignalReader({ store, directory }),
            directory,
            httpAuth,
            permissions,
          }),
        );
        deps.httpRouter.use(
          await setUpAlerts({
            ...deps,
            budgets,
            service,
            signals,
            retentionMinutes: settings.retentionMinutes.changes,
          }),
        );
        deps.httpRouter.use(
          await createRouter({
            service,
            policy,
            pages,
            boardAsked: window => warmer.touch(window),
            auditor: deps.auditor,
            httpAuth,
            permissions,
            collect,
            openapi: parse(
              await readFile(
                resolvePackagePath(
                  '@rocket/plugin-critical-paths-backend',
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
