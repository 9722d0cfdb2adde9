import { setTimeout as sleep } from 'node:timers/promises';
import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import {
  catalogProcessingExtensionPoint,
  catalogServiceRef,
} from '@backstage/plugin-catalog-node';
import { eventsServiceRef } from '@backstage/plugin-events-node';
import { CI_REGISTRY_CHANGED_TOPIC } from '@rocket/plugin-ci-registry-common';
import { ciRegistryServiceRef } from '@rocket/plugin-ci-registry-node';
import { CiRegistryEntityProvider } from './CiRegistryEntityProvider';
import { flushCommits } from './flushCommits';
import { leanTransactions } from './leanTransactions';
import { Paced } from './Paced';
import { prepareStatements } from './preparedStatements';

const SAFETY_NET_SECONDS = 10;
const START_RETRY_MS = 2_000;
/** In a burst of pushes, the catalog takes over what came so far at a pause of this length, and at the latest after that time. */
const GAP_MS = 250;
const MAX_WAIT_MS = 1_000;
/**
 * So many pushes that are being accepted at one moment are a crowd, a whole organisation at once, which is let in first: the catalog
 * needs much longer for it than accepting it takes.
 */
const CROWD = 8;
const MAX_CROWD_WAIT_MS = 10_000;
/** Longer than a claim of the process that was killed lasts. */
const START_FOR_MS = 20_000;

/** Connects the CI registry to the catalog. */
export const catalogModuleCiRegistry = createBackendModule({
  pluginId: 'catalog',
  moduleId: 'ci-registry',
  register(reg) {
    reg.registerInit({
      deps: {
        auth: coreServices.auth,
        catalog: catalogServiceRef,
        config: coreServices.rootConfig,
        database: coreServices.database,
        events: eventsServiceRef,
        lifecycle: coreServices.lifecycle,
        logger: coreServices.logger,
        processing: catalogProcessingExtensionPoint,
        registry: ciRegistryServiceRef,
        scheduler: coreServices.scheduler,
      },
      async init(deps) {
        const { events, lifecycle, logger, processing, scheduler } = deps;
        const db = await deps.database.getClient();
        const isPreparing =
          deps.config.getOptionalBoolean(
            'ciRegistry.catalog.preparedStatements',
          ) ?? true;
        const grow = isPreparing ? prepareStatements(db) : () => {};

        const isLean =
          deps.config.getOptionalBoolean(
            'ciRegistry.catalog.leanTransactions',
          ) ?? true;
        if (isLean) await leanTransactions(db);

        const provider = new CiRegistryEntityProvider({
          ...deps,
          flush: () => flushCommits(db),
          handedOver: grow,
        });
        processing.addEntityProvider(provider);

        const stop = new AbortController();
        lifecycle.addShutdownHook(() => stop.abort());

        const paced = new Paced({
          gapMs: GAP_MS,
          maxWaitMs: MAX_WAIT_MS,
          maxCrowdWaitMs: MAX_CROWD_WAIT_MS,
          work: () =>
            provider
              .synchronize()
              .catch(error =>
                logger.warn(
                  `Could not take over what was pushed, trying again within ${SAFETY_NET_SECONDS} s`,
                  { error: String(error) },
                ),
              ),
        });
        lifecycle.addShutdownHook(() => paced.stop());
        await events.subscribe({
          id: 'ci-registry-provider',
          topics: [CI_REGISTRY_CHANGED_TOPIC],
          async onEvent({ eventPayload }) {
            const { waiting } = (eventPayload ?? {}) as { waiting?: unknown };
            paced.ask({ crowd: Number(waiting) >= CROWD });
          },
        });

        // The schedule alone is not enough after a crash: it holds the lock of the killed
        // process until the timeout.
        lifecycle.addStartupHook(() => {
          const catchUp = async () => {
            let isConnected = false;
            let until = Infinity;
            while (!stop.signal.aborted && Date.now() < until) {
              try {
                await provider.synchronize();
                if (!isConnected) until = Date.now() + START_FOR_MS;
                isConnected = true;
              } catch (error) {
                logger.info('Waiting for the CI registry', {
                  error: String(error),
                });
              }
              await sleep(START_RETRY_MS, undefined, {
                signal: stop.signal,
                ref: false,
              }).catch(() => undefined);
            }
          };
          catchUp();
        });

        await scheduler.scheduleTask({
          id: 'ci-registry-synchronize',
          frequency: { seconds: SAFETY_NET_SECONDS },
          timeout: { minutes: 1 },
          initialDelay: { seconds: SAFETY_NET_SECONDS },
          fn: () => provider.synchronize(),
        });
      },
    });
  },
});
