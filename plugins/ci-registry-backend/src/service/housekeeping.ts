import type {
  LoggerService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import type { CiRegistry } from './CiRegistry';

/** Often enough that an entity leaves the catalog within a minute of its grace time. */
const REMOVE_EVERY_SECONDS = 30;

/** What one of the replicas does from time to time. */
export async function scheduleHousekeeping(options: {
  scheduler: SchedulerService;
  logger: LoggerService;
  registry: CiRegistry;
  /** Drop what is older than this, ms since 1970; each on its own. */
  forget: ((before: number) => Promise<unknown>)[];
  retentionMs: number;
}): Promise<void> {
  const { scheduler, logger, registry, forget, retentionMs } = options;
  await scheduler.scheduleTask({
    id: 'ci-registry-remove-gone',
    frequency: { seconds: REMOVE_EVERY_SECONDS },
    initialDelay: { seconds: REMOVE_EVERY_SECONDS },
    timeout: { minutes: 5 },
    fn: async () => {
      await registry.removeGone();
    },
  });
  await scheduler.scheduleTask({
    id: 'ci-registry-retention',
    frequency: { hours: 1 },
    initialDelay: { minutes: 5 },
    timeout: { minutes: 30 },
    fn: async signal => {
      for (const work of forget) {
        if (signal.aborted) return;
        try {
          await work(Date.now() - retentionMs);
        } catch (error) {
          logger.error('What is too old could not be dropped', error as Error);
        }
      }
    },
  });
}
