import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { telemetrySourcesExtensionPoint } from '@rocket/plugin-critical-paths-node';
import { readPrometheusSettings } from './config';
import { PrometheusTelemetrySource } from './PrometheusTelemetrySource';

/** Makes Prometheus a telemetry source of the critical-paths plugin. */
export const criticalPathsModulePrometheus = createBackendModule({
  pluginId: 'critical-paths',
  moduleId: 'prometheus',
  register(reg) {
    reg.registerInit({
      deps: {
        config: coreServices.rootConfig,
        telemetrySources: telemetrySourcesExtensionPoint,
      },
      async init({ config, telemetrySources }) {
        telemetrySources.addSource(
          new PrometheusTelemetrySource(readPrometheusSettings(config)),
        );
      },
    });
  },
});
