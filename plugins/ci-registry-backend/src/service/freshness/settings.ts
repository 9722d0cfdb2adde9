import {
  readSchedulerServiceTaskScheduleDefinitionFromConfig,
  type RootConfigService,
  type SchedulerServiceTaskScheduleDefinition,
} from '@backstage/backend-plugin-api';
import { readDuration } from '../delivery/settings';

/** `ciRegistry.freshness` with its defaults; durations in milliseconds. */
export interface FreshnessSettings {
  schedule: SchedulerServiceTaskScheduleDefinition;
  /** An entity whose last push is longer ago is stale. */
  maxAgeMs: number;
  /** What gave no sign of life for so long does not run. */
  notRunningAfterMs: number;
  /** What runs is unregistered when no component had its name for so long. */
  unregisteredAfterMs: number;
  /** Who hears of what has no owner. */
  recipients: string[];
}

export function readFreshnessSettings(
  config: RootConfigService,
): FreshnessSettings {
  const schedule = 'ciRegistry.freshness.schedule';
  return {
    schedule: config.has(schedule)
      ? readSchedulerServiceTaskScheduleDefinitionFromConfig(
          config.getConfig(schedule),
        )
      : {
          frequency: { minutes: 2 },
          timeout: { minutes: 10 },
          initialDelay: { seconds: 30 },
        },
    maxAgeMs: readDuration(
      config,
      'ciRegistry.freshness.maxAge',
      { days: 30 },
      60_000,
    ),
    notRunningAfterMs: readDuration(
      config,
      'ciRegistry.freshness.notRunningAfter',
      { days: 1 },
      60_000,
    ),
    unregisteredAfterMs: readDuration(
      config,
      'ciRegistry.freshness.unregisteredAfter',
      { minutes: 15 },
      0,
    ),
    recipients:
      config.getOptionalStringArray('ciRegistry.freshness.recipients') ?? [],
  };
}
