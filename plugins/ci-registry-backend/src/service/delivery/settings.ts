import type { RootConfigService } from '@backstage/backend-plugin-api';
import { readDurationFromConfig } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { durationToMilliseconds, type HumanDuration } from '@backstage/types';

/** `ciRegistry.delivery` and `ciRegistry.dora` with their defaults; durations in milliseconds. */
export interface DeliverySettings {
  /** Environments whose deployments the critical paths hear of. */
  liveEnvironments: string[];
  retentionMs: number;
  /** A build that runs is unfinished when nothing was heard of it for so long. */
  buildTimeoutMs: number;
  /** The environment that the DORA metrics are about unless another is asked for. */
  doraEnvironment: string;
  leadTimeGoalMs: number;
}

/** Reads a duration of at least `min` milliseconds, see config.d.ts. */
export function readDuration(
  config: RootConfigService,
  key: string,
  fallback: HumanDuration,
  min: number,
): number {
  const duration = config.has(key)
    ? readDurationFromConfig(config, { key })
    : fallback;
  const value = durationToMilliseconds(duration);
  if (!(value >= min)) {
    throw new InputError(
      `${key} must be at least ${min / 1000} seconds, was ${value / 1000}`,
    );
  }
  return value;
}

export function readDeliverySettings(
  config: RootConfigService,
): DeliverySettings {
  return {
    liveEnvironments: config.getOptionalStringArray(
      'ciRegistry.delivery.liveEnvironments',
    ) ?? ['production', 'local'],
    retentionMs: readDuration(
      config,
      'ciRegistry.delivery.retention',
      { days: 400 },
      86_400_000,
    ),
    buildTimeoutMs: readDuration(
      config,
      'ciRegistry.delivery.buildTimeout',
      { hours: 6 },
      60_000,
    ),
    doraEnvironment:
      config.getOptionalString('ciRegistry.dora.environment') ?? 'production',
    leadTimeGoalMs: readDuration(
      config,
      'ciRegistry.dora.leadTimeGoal',
      { minutes: 45 },
      1000,
    ),
  };
}
