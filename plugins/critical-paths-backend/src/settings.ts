import {
  readSchedulerServiceTaskScheduleDefinitionFromConfig,
  type RootConfigService,
  type SchedulerServiceTaskScheduleDefinition,
} from '@backstage/backend-plugin-api';
import { readDurationFromConfig } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { durationToMilliseconds, type HumanDuration } from '@backstage/types';

/** The `criticalPaths` configuration with its defaults, durations in seconds unless named otherwise. */
export interface CriticalPathsSettings {
  schedule: SchedulerServiceTaskScheduleDefinition;
  delaySeconds: number;
  correctionMinutes: number;
  backfillMinutes: number;
  budgetSeconds: number;
  maxRequests: number;
  staleAfterSeconds: number;
  quietAfterSeconds: number;
  /** Minutes after a deployment in which the burned budget is told. */
  afterDeploymentMinutes: number;
  /** When deployments and incidents are read. */
  changesSchedule: SchedulerServiceTaskScheduleDefinition;
  /** When service levels of the sources are read. */
  serviceLevelsSchedule: SchedulerServiceTaskScheduleDefinition;
  retentionMinutes: {
    /** Minutes that minute rows are kept for. */
    minutes: number;
    /** Minutes that hour rows are kept for. */
    hours: number;
    /** Minutes that day rows are kept for. */
    days: number;
    /** Minutes that deployments, chaos runs and incidents are kept for. */
    changes: number;
  };
}

/**
 * Reads `criticalPaths` from the configuration.
 *
 * @throws InputError that names the key when a value is out of its range.
 */
export function readSettings(root: RootConfigService): CriticalPathsSettings {
  const config = root.getOptionalConfig('criticalPaths');
  const seconds = (
    key: string,
    fallback: HumanDuration,
    range: { min?: number; max?: number } = {},
  ): number => {
    const duration = config?.has(key)
      ? readDurationFromConfig(config, { key })
      : fallback;
    const value = durationToMilliseconds(duration) / 1000;
    const { min = 0, max = Infinity } = range;
    if (!(value >= min && value <= max)) {
      throw new InputError(
        `criticalPaths.${key} must be at least ${min} seconds${
          Number.isFinite(max) ? ` and at most ${max} seconds` : ''
        }, was ${value} seconds`,
      );
    }
    return value;
  };
  const schedule = (
    key: string,
    fallback: SchedulerServiceTaskScheduleDefinition,
  ) =>
    config?.has(key)
      ? readSchedulerServiceTaskScheduleDefinitionFromConfig(
          config.getConfig(key),
        )
      : fallback;
  const maxRequests = config?.getOptionalNumber('collector.maxRequests') ?? 40;
  if (!Number.isInteger(maxRequests) || maxRequests < 1) {
    throw new InputError(
      `criticalPaths.collector.maxRequests must be a whole number of at least 1, was ${maxRequests}`,
    );
  }
  const hoursKept = seconds(
    'retention.hours',
    { days: 100 },
    { min: 31 * 86_400 },
  );
  return {
    schedule: schedule('collector.schedule', {
      frequency: { seconds: 15 },
      timeout: { minutes: 10 },
    }),
    changesSchedule: schedule('changes.schedule', {
      frequency: { minutes: 1 },
      timeout: { minutes: 10 },
      initialDelay: { seconds: 5 },
    }),
    serviceLevelsSchedule: schedule('serviceLevels.schedule', {
      frequency: { minutes: 30 },
      timeout: { minutes: 15 },
      initialDelay: { minutes: 1 },
    }),
    delaySeconds: seconds('collector.delay', { seconds: 15 }, { max: 3600 }),
    correctionMinutes: Math.ceil(
      seconds('collector.correction', { minutes: 5 }, { max: 5 * 3600 }) / 60,
    ),
    backfillMinutes: Math.floor(
      seconds('collector.backfill', { days: 30 }, { max: 400 * 86_400 }) / 60,
    ),
    budgetSeconds: seconds('collector.budget', { seconds: 45 }, { min: 1 }),
    maxRequests,
    staleAfterSeconds: seconds('staleAfter', { minutes: 5 }, { min: 60 }),
    afterDeploymentMinutes: Math.ceil(
      seconds('afterDeployment', { minutes: 60 }, { min: 60, max: 86_400 }) /
        60,
    ),
    quietAfterSeconds: seconds('quietAfter', { minutes: 15 }, { min: 60 }),
    retentionMinutes: {
      minutes: Math.floor(
        seconds('retention.minutes', { days: 3 }, { min: 2 * 86_400 }) / 60,
      ),
      hours: Math.floor(hoursKept / 60),
      days: Math.floor(
        seconds(
          'retention.days',
          { seconds: Math.max(hoursKept, 400 * 86_400) },
          { min: hoursKept },
        ) / 60,
      ),
      changes: Math.floor(
        seconds('retention.changes', { days: 400 }, { min: 31 * 86_400 }) / 60,
      ),
    },
  };
}
