import { mockServices, startTestBackend } from '@backstage/backend-test-utils';
import {
  coreServices,
  createBackendModule,
  createServiceFactory,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import type { Entity } from '@backstage/catalog-model';
import type { HumanDuration, JsonObject } from '@backstage/types';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import {
  telemetrySourcesExtensionPoint,
  type TelemetrySource,
} from '@rocket/plugin-critical-paths-node';
import type { Knex } from 'knex';
import plugin from '../../src';
import { DatabaseSignalStore } from '../../src/store/DatabaseSignalStore';

/** A source as a feature of a backend. */
export function sourceModule(source: TelemetrySource): BackendFeature {
  return createBackendModule({
    pluginId: 'critical-paths',
    moduleId: 'bench-source',
    register(reg) {
      reg.registerInit({
        deps: { sources: telemetrySourcesExtensionPoint },
        async init({ sources }) {
          sources.addSource(source);
        },
      });
    },
  });
}

/**
 * The plugin over a database of the benchmark. Nothing runs by itself: the caller says
 * when is collected and attributed.
 */
export async function benchBackend(options: {
  knex: Knex;
  entities: Entity[];
  /** A source, or the features that bring one. */
  source: TelemetrySource | BackendFeature[];
  /** Configuration beside that of the plugin. */
  config?: object;
  /** Of `criticalPaths`. */
  criticalPaths: { collector: { backfill: HumanDuration } } & JsonObject;
}) {
  const { knex, entities, source } = options;
  const store = await DatabaseSignalStore.create({
    database: mockServices.database({ knex }),
  });
  const scheduler = mockServices.scheduler();
  const backend = await startTestBackend({
    features: [
      plugin,
      ...(Array.isArray(source) ? source : [sourceModule(source)]),
      mockServices.database.factory({ knex }),
      createServiceFactory({
        service: coreServices.scheduler,
        deps: {},
        factory: () => scheduler,
      }),
      mockServices.rootConfig.factory({
        data: {
          ...options.config,
          criticalPaths: options.criticalPaths,
        },
      }),
      catalogServiceMock.factory({ entities }),
    ],
  });
  const { port } = backend.server.address() as { port: number };
  const collect = () => scheduler.triggerTask('critical-paths-collect');
  /** Forgets that the newest minute was read: the next collection has as much to do as one a minute later. */
  const forgetNewest = async () => {
    const [row] = await knex('cp_series').orderBy('watermark_at', 'desc');
    const covered = (JSON.parse(row.covered) as [number, number][]).filter(
      range => range[0] < row.watermark_at - 1,
    );
    covered[covered.length - 1][1] = row.watermark_at - 1;
    // All series at once, as no store would: it is not what is measured.
    await knex('cp_series').update({
      covered: JSON.stringify(covered),
      watermark_at: row.watermark_at - 1,
    });
    await store.recordFailures([], Math.floor(Date.now() / 1000));
  };
  return {
    base: `http://127.0.0.1:${port}/api/critical-paths`,
    collect,
    forgetNewest,
    /** One collection as it is due every minute. */
    collectAgain: async () => {
      await forgetNewest();
      await collect();
    },
    attribute: () => scheduler.triggerTask('critical-paths-burn'),
    stop: () => backend.stop(),
  };
}
