import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { kubernetesServiceRef } from '@rocket/kubernetes-node';
import { CriticalPathsClient } from '@rocket/plugin-critical-paths-common';
import {
  provisioningEffectsExtensionPoint,
  provisioningRuntimesExtensionPoint,
} from '@rocket/plugin-provisioning-node';
import { NamespaceHandler } from './handlers/NamespaceHandler';
import { WorkloadHandler } from './handlers/WorkloadHandler';
import type { GateAnswer } from './runtime/BlueGreen';
import { KubernetesRuntime } from './runtime/KubernetesRuntime';
import { readKubernetesSettings } from './runtime/settings';

const EVERY = { seconds: 30 };

/** Kubernetes as a place where services run. Without a configured cluster it has nothing to do. */
export const provisioningModuleKubernetes = createBackendModule({
  pluginId: 'provisioning',
  moduleId: 'kubernetes',
  register(reg) {
    reg.registerInit({
      deps: {
        auth: coreServices.auth,
        config: coreServices.rootConfig,
        discovery: coreServices.discovery,
        effects: provisioningEffectsExtensionPoint,
        kubernetes: kubernetesServiceRef,
        logger: coreServices.logger,
        runtimes: provisioningRuntimesExtensionPoint,
        scheduler: coreServices.scheduler,
      },
      async init({ auth, config, discovery, kubernetes, logger, ...deps }) {
        const settings = readKubernetesSettings(config);
        const paths = new CriticalPathsClient({
          fetchApi: { fetch },
          baseUrl: () => discovery.getBaseUrl('critical-paths'),
          timeoutMs: 15_000,
        });
        const gate = async (entityRef: string): Promise<GateAnswer> => {
          const { token } = await auth.getPluginRequestToken({
            onBehalfOf: await auth.getOwnServiceCredentials(),
            targetPluginId: 'critical-paths',
          });
          const { decision, reasons } = await paths.getGate(entityRef, {
            token,
          });
          return {
            decision,
            reasons: reasons.map(({ message }) => message),
          };
        };
        const runtime = new KubernetesRuntime({
          kubernetes,
          settings,
          logger,
          gate,
        });
        deps.runtimes.addRuntime(runtime);
        deps.effects.addEffectHandler(new NamespaceHandler({ kubernetes }));
        deps.effects.addEffectHandler(
          new WorkloadHandler({ kubernetes, settings, gate }),
        );
        if (!kubernetes.listClusters().length) return;
        await deps.scheduler.scheduleTask({
          id: 'provisioning-kubernetes-sweep',
          frequency: { minutes: 5 },
          timeout: { minutes: 5 },
          initialDelay: { seconds: 30 },
          fn: signal => runtime.sweep(signal as AbortSignal),
        });
        await deps.scheduler.scheduleTask({
          id: 'provisioning-kubernetes-watch',
          scope: 'local',
          frequency: EVERY,
          timeout: { minutes: 2 },
          initialDelay: EVERY,
          fn: signal => runtime.watch(signal as AbortSignal),
        });
      },
    });
  },
});
