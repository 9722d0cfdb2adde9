import type {
  LoggerService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type { CriticalPathsSettings } from '../settings';
import type { SignalStore } from '../store/SignalStore';
import type { Collector } from './Collector';
import { dayStart } from './plan';

const COLLECT_TASK = 'critical-paths-collect';
const RETENTION_TASK = 'critical-paths-retention';
/** Change records only serve replicas that are up; they look every second. */
const KEEP_CHANGES_SECONDS = 3600;

/**
 * Schedules collection and retention, each on one replica at a time.
 *
 * @returns `collect`, which starts a cycle now and answers false when one is running.
 */
export async function scheduleCollection(options: {
  collector: Collector;
  store: SignalStore;
  settings: CriticalPathsSettings;
  scheduler: SchedulerService;
  logger: LoggerService;
}): Promise<{ collect: () => Promise<boolean> }> {
  const { collector, store, settings, scheduler, logger } = options;
  await scheduler.scheduleTask({
    ...settings.schedule,
    id: COLLECT_TASK,
    scope: 'global',
    fn: async signal => {
      const report = await collector.runCycle(signal);
      logger.debug(
        `Collected ${report.targets} feeds of ${report.paths} paths with ${
          report.requests
        } requests${report.complete ? '' : '; back-fill goes on'}`,
      );
    },
  });
  await scheduler.scheduleTask({
    id: RETENTION_TASK,
    scope: 'global',
    frequency: { hours: 1 },
    timeout: { minutes: 30 },
    initialDelay: { minutes: 2 },
    fn: async signal => {
      const now = Math.floor(Date.now() / 1000);
      const hour = Math.floor(now / 3600) * 60;
      const deleted = await store.prune({
        minutesBefore: hour - settings.retentionMinutes.minutes,
        hoursBefore: dayStart(hour - settings.retentionMinutes.hours),
        daysBefore: dayStart(hour - settings.retentionMinutes.days),
        changesBefore: now - KEEP_CHANGES_SECONDS,
        signal,
      });
      logger.debug(`Retention deleted ${deleted} rows`);
    },
  });
  return {
    async collect() {
      try {
        await scheduler.triggerTask(COLLECT_TASK);
        return true;
      } catch (error) {
        if (toError(error).name === 'ConflictError') {
          return false;
        }
        throw error;
      }
    },
  };
}
