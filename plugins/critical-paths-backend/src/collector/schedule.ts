import type {
  LoggerService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import type { CriticalPathsSettings } from '../settings';
import type { SignalStore } from '../store/SignalStore';
import type { ChangeCollector } from '../changes/ChangeCollector';
import type { ChangeStore } from '../changes/ChangeStore';
import type { ServiceLevelCollector } from '../changes/ServiceLevelCollector';
import type { Collector } from './Collector';
import { dayStart } from './plan';

const COLLECT_TASK = 'critical-paths-collect';
const RETENTION_TASK = 'critical-paths-retention';
const CHANGES_TASK = 'critical-paths-changes';
const SERVICE_LEVELS_TASK = 'critical-paths-service-levels';
/** Change records only serve replicas that are up; they look every second. */
const KEEP_CHANGES_SECONDS = 3600;

/**
 * Schedules collection of figures, changes and service levels, and retention,
 * each on one replica at a time.
 *
 * @returns `collect`, which starts a cycle now and answers false when one is running.
 */
export async function scheduleCollection(options: {
  collector: Collector;
  changeCollector: ChangeCollector;
  serviceLevelCollector: ServiceLevelCollector;
  store: SignalStore;
  changeStore: ChangeStore;
  settings: CriticalPathsSettings;
  scheduler: SchedulerService;
  logger: LoggerService;
}): Promise<{ collect: () => Promise<boolean> }> {
  const { collector, store, changeStore, settings, scheduler, logger } =
    options;
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
  // Tasks of their own: neither a slow answer about changes nor a long one about
  // service levels holds up the figures.
  await scheduler.scheduleTask({
    ...settings.changesSchedule,
    id: CHANGES_TASK,
    scope: 'global',
    fn: async signal => {
      const report = await options.changeCollector.runCycle(signal);
      logger.debug(
        `Read ${report.changes} changes of ${report.applications} applications with ${report.requests} requests`,
      );
    },
  });
  await scheduler.scheduleTask({
    ...settings.serviceLevelsSchedule,
    id: SERVICE_LEVELS_TASK,
    scope: 'global',
    fn: async signal => {
      const report = await options.serviceLevelCollector.runCycle(signal);
      logger.debug(
        `Read ${report.levels} service levels with ${report.requests} requests`,
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
      const events = await changeStore.prune(
        now - settings.retentionMinutes.changes * 60,
      );
      logger.debug(`Retention deleted ${deleted + events} rows`);
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
