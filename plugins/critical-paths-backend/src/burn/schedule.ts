import type {
  LoggerService,
  SchedulerService,
} from '@backstage/backend-plugin-api';
import type { CriticalPathsSettings } from '../settings';
import type { BurnStore } from '../store/BurnStore';
import type { PolicyStore } from '../store/PolicyStore';
import type { BurnRollup } from './BurnRollup';

const ROLLUP_TASK = 'critical-paths-burn';
const RETENTION_TASK = 'critical-paths-burn-retention';
const DAY = 1440;

/** Schedules attribution and the retention of its sums, each on one replica at a time. */
export async function scheduleRollup(options: {
  rollup: BurnRollup;
  burns: BurnStore;
  policy: PolicyStore;
  settings: CriticalPathsSettings;
  scheduler: SchedulerService;
  logger: LoggerService;
}): Promise<void> {
  const { rollup, burns, policy, settings, scheduler, logger } = options;
  await scheduler.scheduleTask({
    id: ROLLUP_TASK,
    scope: 'global',
    frequency: { seconds: 20 },
    timeout: { minutes: 30 },
    initialDelay: { seconds: 8 },
    fn: async signal => {
      const { hours, deployments } = await rollup.run(signal);
      logger.debug(
        `Attributed ${hours} hours of paths and ${deployments} deployments`,
      );
    },
  });
  await scheduler.scheduleTask({
    id: RETENTION_TASK,
    scope: 'global',
    frequency: { hours: 6 },
    timeout: { minutes: 10 },
    initialDelay: { minutes: 3 },
    fn: async () => {
      const now = Math.floor(Date.now() / 60_000);
      const days = now - settings.retentionMinutes.days;
      const deleted =
        (await burns.pruneBurns(
          // Whole days, so that no day is summed up from a part of its hours.
          Math.floor((now - settings.retentionMinutes.hours) / DAY) * DAY,
          days,
        )) + (await policy.prunePolicy(days));
      logger.debug(`Retention deleted ${deleted} rows of budgets`);
    },
  });
}
