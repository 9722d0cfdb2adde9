import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { catalogServiceRef } from '@backstage/plugin-catalog-node';
import { newRelicServiceRef } from '@rocket/newrelic-node';
import { CiRegistryClient } from '@rocket/plugin-ci-registry-common';
import {
  provisioningEffectsExtensionPoint,
  provisioningServiceRef,
} from '@rocket/plugin-provisioning-node';
import { readSettings } from './config';
import { DEPLOYMENTS_PER_PAGE, DeploymentMarkers } from './DeploymentMarkers';
import { AlertPolicyHandler } from './handlers/AlertPolicyHandler';
import type { HandlerDeps } from './handlers/common';
import { DashboardHandler } from './handlers/DashboardHandler';
import { ServiceLevelsHandler } from './handlers/ServiceLevelsHandler';
import { TagsHandler } from './handlers/TagsHandler';
import { IntentReader } from './intents';
import { AlertsApi } from './nerdgraph/alerts';
import { EntitiesApi } from './nerdgraph/entities';
import { NerdGraph } from './nerdgraph/NerdGraph';
import { PendingEffects } from './PendingEffects';
import { createRouter } from './router';

/** Alerts, service levels, dashboards, tags and deployment markers in New Relic for what Rocket provisions. */
export const provisioningModuleNewRelic = createBackendModule({
  pluginId: 'provisioning',
  moduleId: 'newrelic',
  register(reg) {
    reg.registerInit({
      deps: {
        auth: coreServices.auth,
        catalog: catalogServiceRef,
        config: coreServices.rootConfig,
        discovery: coreServices.discovery,
        effects: provisioningEffectsExtensionPoint,
        httpAuth: coreServices.httpAuth,
        httpRouter: coreServices.httpRouter,
        logger: coreServices.logger,
        newrelic: newRelicServiceRef,
        permissions: coreServices.permissions,
        provisioning: provisioningServiceRef,
        scheduler: coreServices.scheduler,
      },
      async init(deps) {
        const { auth, discovery, effects, logger, newrelic } = deps;
        const settings = readSettings(deps.config, newrelic);
        const nerdGraph = new NerdGraph(newrelic);
        const entities = new EntitiesApi(nerdGraph);
        const handlerDeps: HandlerDeps = {
          nerdGraph,
          entities,
          alerts: new AlertsApi(nerdGraph),
          intents: new IntentReader(settings),
          disabled: settings.disabled,
        };
        effects.addEffectHandler(new AlertPolicyHandler(handlerDeps));
        effects.addEffectHandler(new DashboardHandler(handlerDeps));
        effects.addEffectHandler(new ServiceLevelsHandler(handlerDeps));
        effects.addEffectHandler(new TagsHandler(handlerDeps));
        deps.httpRouter.use(
          createRouter({
            ...deps,
            settings,
            accountId: account => newrelic.getAccount(account).id,
          }),
        );
        if (settings.disabled) {
          logger.info(`Nothing is made in New Relic: ${settings.disabled}`);
          return;
        }

        const shared = {
          ...deps,
          nerdGraph,
          entities,
          credentials: () => auth.getOwnServiceCredentials(),
        };
        const schedule = {
          frequency: { milliseconds: settings.reconcileMs },
          initialDelay: { seconds: 15 },
          timeout: { minutes: 10 },
        };
        const pending = new PendingEffects(shared);
        await deps.scheduler.scheduleTask({
          ...schedule,
          id: 'provisioning-newrelic-pending',
          fn: async signal => {
            await pending.run(signal);
          },
        });
        if (settings.deploymentMarkers) {
          const registry = new CiRegistryClient({
            baseUrl: () => discovery.getBaseUrl('ci-registry'),
            fetchApi: {
              fetch: async (url, init) => {
                const { token } = await auth.getPluginRequestToken({
                  onBehalfOf: await auth.getOwnServiceCredentials(),
                  targetPluginId: 'ci-registry',
                });
                const headers = new Headers(init?.headers);
                headers.set('authorization', `Bearer ${token}`);
                return fetch(url, { ...init, headers });
              },
            },
          });
          const markers = new DeploymentMarkers({
            ...shared,
            deployments: cursor =>
              registry.getDeployments({ limit: DEPLOYMENTS_PER_PAGE, cursor }),
          });
          await deps.scheduler.scheduleTask({
            ...schedule,
            id: 'provisioning-newrelic-markers',
            fn: async signal => {
              await markers.run(signal);
            },
          });
        }
      },
    });
  },
});
