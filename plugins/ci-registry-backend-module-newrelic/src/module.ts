import { createBackendModule } from '@backstage/backend-plugin-api';
import { newRelicServiceRef } from '@rocket/newrelic-node';
import { runningComponentsExtensionPoint } from '@rocket/plugin-ci-registry-node';
import { NewRelicApplications } from './NewRelicApplications';

/** Tells the CI registry which applications report to New Relic, for each configured account. */
export const ciRegistryModuleNewRelic = createBackendModule({
  pluginId: 'ci-registry',
  moduleId: 'newrelic',
  register(reg) {
    reg.registerInit({
      deps: {
        newrelic: newRelicServiceRef,
        running: runningComponentsExtensionPoint,
      },
      async init({ newrelic, running }) {
        for (const { name } of newrelic.listAccounts()) {
          running.addProvider(new NewRelicApplications(newrelic, name));
        }
      },
    });
  },
});
