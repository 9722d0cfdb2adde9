import { createBackendModule } from '@backstage/backend-plugin-api';
import { newRelicServiceRef } from '@rocket/newrelic-node';
import { telemetrySourcesExtensionPoint } from '@rocket/plugin-critical-paths-node';
import { NewRelicTelemetrySource } from './NewRelicTelemetrySource';

/** Makes New Relic a telemetry source of the critical-paths plugin. */
export const criticalPathsModuleNewRelic = createBackendModule({
  pluginId: 'critical-paths',
  moduleId: 'newrelic',
  register(reg) {
    reg.registerInit({
      deps: {
        newrelic: newRelicServiceRef,
        telemetrySources: telemetrySourcesExtensionPoint,
      },
      async init({ newrelic, telemetrySources }) {
        telemetrySources.addSource(new NewRelicTelemetrySource(newrelic));
      },
    });
  },
});
