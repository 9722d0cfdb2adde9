import type {
  LoggerService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import type { WorkflowSettings } from './settings';
import type { WorkflowCycle } from './WorkflowCycle';
import type { WorkflowStore } from './WorkflowStore';

/** Counts by the hour serve the history of thirteen months. */
const KEEP_HOURS_MS = 400 * 86_400_000;

/** Schedules the look for due workflows and their retention, each on one replica at a time. */
export async function scheduleWorkflows(options: {
  cycle: WorkflowCycle;
  store: WorkflowStore;
  settings: WorkflowSettings;
  scheduler: SchedulerService;
  logger: LoggerService;
}): Promise<void> {
  const { cycle, store, settings, scheduler, logger } = options;
  await scheduler.scheduleTask({
    ...settings.schedule,
    id: 'critical-paths-workflows',
    scope: 'global',
    fn: () => cycle.tick(),
  });
  await scheduler.scheduleTask({
    id: 'critical-paths-workflow-retention',
    scope: 'global',
    frequency: { hours: 1 },
    timeout: { minutes: 30 },
    initialDelay: { minutes: 3 },
    fn: async () => {
      const now = Date.now();
      const deleted = await store.prune({
        runsBefore: now - settings.retentionMs,
        hoursBefore: now - Math.max(KEEP_HOURS_MS, settings.retentionMs),
      });
      logger.debug(`Retention deleted ${deleted} rows of workflows`);
    },
  });
}
