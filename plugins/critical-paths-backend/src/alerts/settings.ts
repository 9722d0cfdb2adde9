import type { RootConfigService } from '@backstage/backend-plugin-api';
import { readDurationFromConfig } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { durationToMilliseconds, type HumanDuration } from '@backstage/types';
import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import { isEntityRef } from '@rocket/plugin-critical-paths-common';
import type { AlertTiming } from './decide';

/** What a spent error budget means for a deployment. */
export type ExhaustedPolicy = 'block' | 'warn';

/** `criticalPaths.alerts` and `criticalPaths.gate` with their defaults. */
export interface AlertSettings extends AlertTiming {
  enabled: boolean;
  /** Entity refs that are told about every path, beside its owner. */
  recipients: string[];
  gate: { exhausted: ExhaustedPolicy };
}

/**
 * Reads `criticalPaths.alerts` and `criticalPaths.gate`.
 *
 * @throws InputError that names the key when a value is not allowed.
 */
export function readAlertSettings(root: RootConfigService): AlertSettings {
  const config = root.getOptionalConfig('criticalPaths');
  const seconds = (key: string, fallback: HumanDuration) => {
    const duration = config?.has(key)
      ? readDurationFromConfig(config, { key })
      : fallback;
    return durationToMilliseconds(duration) / 1000;
  };
  const recipients = config?.getOptionalStringArray('alerts.recipients') ?? [];
  const wrong = recipients.find(ref => !isEntityRef(ref));
  if (wrong !== undefined) {
    throw new InputError(
      `criticalPaths.alerts.recipients must be entity refs such as group:default/reliability, was ${JSON.stringify(
        wrong,
      )}`,
    );
  }
  const exhausted = config?.getOptionalString('gate.exhausted') ?? 'block';
  if (exhausted !== 'block' && exhausted !== 'warn') {
    throw new InputError(
      `criticalPaths.gate.exhausted must be block or warn, was ${JSON.stringify(
        exhausted,
      )}`,
    );
  }
  return {
    enabled: config?.getOptionalBoolean('alerts.enabled') ?? true,
    recipients: recipients.map(ref => stringifyEntityRef(parseEntityRef(ref))),
    recoverAfterSeconds: seconds('alerts.recoverAfter', { minutes: 5 }),
    repeatSeconds: seconds('alerts.repeat', { hours: 4 }),
    gate: { exhausted },
  };
}
