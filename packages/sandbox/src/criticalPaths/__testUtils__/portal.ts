/* eslint-disable @backstage/no-forbidden-package-imports, @backstage/no-mixed-plugin-imports --
   The plugins export themselves alone, with the clock of the machine. Six hours
   of outage need the parts of them, with a clock of the test's own. This is the
   one place that reaches into them. */
import {
  mockServices,
  type TestDatabases,
} from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { DefaultNewRelicService } from '@rocket/newrelic-node/src/DefaultNewRelicService';
import { readNewRelicSettings } from '@rocket/newrelic-node/src/config';
import { NewRelicTelemetrySource } from '@rocket/plugin-critical-paths-backend-module-newrelic/src/NewRelicTelemetrySource';
import { ChangeCollector } from '@rocket/plugin-critical-paths-backend/src/changes/ChangeCollector';
import { DatabaseChangeStore } from '@rocket/plugin-critical-paths-backend/src/changes/DatabaseChangeStore';
import { ServiceLevelCollector } from '@rocket/plugin-critical-paths-backend/src/changes/ServiceLevelCollector';
import { Collector } from '@rocket/plugin-critical-paths-backend/src/collector/Collector';
import { PathDirectory } from '@rocket/plugin-critical-paths-backend/src/service/PathDirectory';
import { readSettings } from '@rocket/plugin-critical-paths-backend/src/settings';
import { DatabaseSignalStore } from '@rocket/plugin-critical-paths-backend/src/store/DatabaseSignalStore';
import type { RunningSandbox } from '../../server';

export {
  secondsToRecover,
  summarizeIncidents,
} from '@rocket/plugin-critical-paths-backend/src/changes/incidents';
export { compareServiceLevel } from '@rocket/plugin-critical-paths-backend/src/changes/serviceLevels';
export { CellSum } from '@rocket/plugin-critical-paths-backend/src/store/cells';
export { coveredMinutes } from '@rocket/plugin-critical-paths-backend/src/store/ranges';

type Knex = Awaited<ReturnType<TestDatabases['init']>>;

export const ACCOUNT = {
  id: 1000001,
  name: 'demo',
  apiKey: 'NRAK-of-the-test',
  licenseKey: 'b'.repeat(40),
};

/** The real collectors and stores of the portal, reading a sandbox over HTTP. */
export async function startPortal(options: {
  sandbox: RunningSandbox;
  knex: Knex;
  entities: Entity[];
  now: () => number;
  config?: object;
}) {
  const { sandbox, knex, entities, now } = options;
  const database = mockServices.database({ knex });
  const store = await DatabaseSignalStore.create({ database });
  const changes = new DatabaseChangeStore(await database.getClient());
  const config = mockServices.rootConfig({
    data: {
      criticalPaths: options.config ?? {},
      newrelic: {
        accounts: [
          {
            name: ACCOUNT.name,
            id: ACCOUNT.id,
            endpoint: `${sandbox.url}/graphql`,
            apiKey: ACCOUNT.apiKey,
          },
        ],
      },
    } as any,
  });
  const logger = mockServices.logger.mock();
  const source = new NewRelicTelemetrySource(
    new DefaultNewRelicService({
      settings: readNewRelicSettings(config),
      logger,
      // Retries without waiting for them.
      delay: async (_, signal) => signal?.throwIfAborted(),
    }),
  );
  const settings = readSettings(config);
  const shared = {
    directory: new PathDirectory({
      catalog: catalogServiceMock({ entities }),
      auth: mockServices.auth(),
      logger,
    }),
    sources: new Map([[source.id, source]]),
    settings,
    logger,
    now,
  };
  return {
    store,
    changes,
    collector: new Collector({ ...shared, store }),
    changeCollector: new ChangeCollector({ ...shared, store: changes }),
    serviceLevelCollector: new ServiceLevelCollector({
      ...shared,
      store: changes,
      signals: store,
    }),
  };
}
