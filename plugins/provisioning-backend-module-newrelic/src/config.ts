import { type Config, readDurationFromConfig } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { durationToMilliseconds } from '@backstage/types';
import type { NewRelicService } from '@rocket/newrelic-node';
import {
  type Objective,
  objectivesSchema,
  parseOrThrow,
  type Thresholds,
} from './intents';

/** The `provisioning.newrelic` section with defaults; what each field means is in config.d.ts. */
export interface Settings {
  /** Why nothing is made; undefined when it is. */
  disabled?: string;
  account?: string;
  objectives: Objective[];
  thresholds: Thresholds;
  reconcileMs: number;
  deploymentMarkers: boolean;
}

const SECTION = 'provisioning.newrelic';
const SHORTEST_RECONCILE_MS = 10_000;

const DEFAULT_OBJECTIVES: Objective[] = [
  { sli: 'availability', target: 99.9, windowDays: 28 },
  { sli: 'latency', target: 99, windowDays: 28, thresholdMs: 500 },
];

/** @throws InputError that names the field; NotFoundError when the account is not configured. */
export function readSettings(
  root: Config,
  newrelic: Pick<NewRelicService, 'listAccounts' | 'getAccount'>,
): Settings {
  const config = root.getOptionalConfig(SECTION);
  const number = (key: string, fallback: number, min: number, max: number) => {
    const value = config?.getOptionalNumber(key) ?? fallback;
    if (!(value >= min && value <= max)) {
      throw new InputError(
        `${SECTION}.${key} must be from ${min} to ${max}, was ${value}`,
      );
    }
    return value;
  };
  const enabled = config?.getOptionalBoolean('enabled') ?? true;
  const account = config?.getOptionalString('account');
  let disabled: string | undefined;
  if (!enabled) {
    disabled = `it is switched off by ${SECTION}.enabled`;
  } else if (newrelic.listAccounts().length === 0) {
    disabled = 'no account is configured in newrelic.accounts';
  } else {
    newrelic.getAccount(account);
  }
  const reconcileMs = config?.has('reconcile.frequency')
    ? durationToMilliseconds(
        readDurationFromConfig(config, { key: 'reconcile.frequency' }),
      )
    : 60_000;
  if (reconcileMs < SHORTEST_RECONCILE_MS) {
    throw new InputError(
      `${SECTION}.reconcile.frequency must be at least 10 seconds`,
    );
  }
  return {
    disabled,
    account,
    objectives: config?.has('objectives')
      ? parseOrThrow(
          objectivesSchema,
          config.get('objectives'),
          `${SECTION}.objectives`,
        )
      : DEFAULT_OBJECTIVES,
    thresholds: {
      errorRatePercent: number('alerts.errorRatePercent', 5, 0.01, 100),
      latencyMs: number('alerts.latencyMs', 1000, 1, 600_000),
      noTrafficMinutes: number('alerts.noTrafficMinutes', 10, 1, 2880),
      minimumRequests: number('alerts.minimumRequests', 20, 1, 100_000),
    },
    reconcileMs,
    deploymentMarkers: config?.getOptionalBoolean('deploymentMarkers') ?? true,
  };
}
