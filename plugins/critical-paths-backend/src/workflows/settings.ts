import {
  readSchedulerServiceTaskScheduleDefinitionFromConfig,
  type RootConfigService,
  type SchedulerServiceTaskScheduleDefinition,
} from '@backstage/backend-plugin-api';
import { readDurationFromConfig, type Config } from '@backstage/config';
import { InputError, toError } from '@backstage/errors';
import { durationToMilliseconds } from '@backstage/types';
import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import { isEntityRef } from '@rocket/plugin-critical-paths-common';
import { AddressPolicy } from './addresses';

/** A target of the configuration. */
export interface ConfiguredTarget {
  baseUrl: URL;
  addresses: AddressPolicy;
  /** Secrets. Sent to this target alone, never kept. */
  headers: Record<string, string>;
  /** Refs of the paths that may use it; undefined: every path. */
  paths?: string[];
}

/** `criticalPaths.workflows` with its defaults. */
export interface WorkflowSettings {
  schedule: SchedulerServiceTaskScheduleDefinition;
  concurrency: number;
  alertAfter: number;
  maxResponseBytes: number;
  retentionMs: number;
  targets: Map<string, ConfiguredTarget>;
}

const PREFIX = 'criticalPaths.workflows';

function whole(
  config: Config | undefined,
  key: string,
  fallback: number,
  [min, max]: [number, number],
): number {
  const value = config?.getOptionalNumber(key) ?? fallback;
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InputError(
      `${PREFIX}.${key} must be a whole number from ${min} to ${max}, was ${value}`,
    );
  }
  return value;
}

function readTarget(name: string, config: Config): ConfiguredTarget {
  const at = `${PREFIX}.targets.${name}`;
  const text = config.getString('baseUrl');
  const baseUrl = URL.canParse(text) ? new URL(text) : undefined;
  if (!baseUrl || !['http:', 'https:'].includes(baseUrl.protocol)) {
    throw new InputError(
      `${at}.baseUrl must be an http or https URL, was ${JSON.stringify(text)}`,
    );
  }
  if (baseUrl.username || baseUrl.password || baseUrl.search || baseUrl.hash) {
    throw new InputError(
      `${at}.baseUrl must have no user, password, query or fragment; put credentials in ${at}.headers`,
    );
  }
  let addresses: AddressPolicy;
  try {
    addresses = new AddressPolicy(
      config.getOptionalStringArray('allowAddresses'),
    );
  } catch (error) {
    throw new InputError(`${at}.allowAddresses ${toError(error).message}`);
  }
  const headers = Object.fromEntries(
    (config.getOptionalConfig('headers')?.keys() ?? []).map(key => [
      key.toLowerCase(),
      config.getConfig('headers').getString(key),
    ]),
  );
  const paths = config.getOptionalStringArray('paths')?.map(ref => {
    if (!isEntityRef(ref)) {
      throw new InputError(
        `${at}.paths must hold entity refs of CriticalPaths, was ${JSON.stringify(
          ref,
        )}`,
      );
    }
    return stringifyEntityRef(
      parseEntityRef(ref, {
        defaultKind: 'criticalpath',
        defaultNamespace: 'default',
      }),
    );
  });
  if (Object.keys(headers).length > 0 && !paths) {
    // Whoever may write a CriticalPath could otherwise act with these credentials.
    throw new InputError(
      `${at}.paths must name the paths that may use the target, since it has headers`,
    );
  }
  return { baseUrl, addresses, headers, paths };
}

/**
 * Reads `criticalPaths.workflows` from the configuration.
 *
 * @throws InputError that names the key when a value cannot be used
 */
export function readWorkflowSettings(
  root: RootConfigService,
): WorkflowSettings {
  const config = root.getOptionalConfig(PREFIX);
  const retentionMs = config?.has('retention')
    ? durationToMilliseconds(
        readDurationFromConfig(config, { key: 'retention' }),
      )
    : 35 * 86_400_000;
  if (!(retentionMs >= 2 * 86_400_000)) {
    throw new InputError(
      `${PREFIX}.retention must be at least 2 days, was ${
        retentionMs / 86_400_000
      } days`,
    );
  }
  const targets = config?.getOptionalConfig('targets');
  return {
    schedule: config?.has('schedule')
      ? readSchedulerServiceTaskScheduleDefinitionFromConfig(
          config.getConfig('schedule'),
        )
      : {
          frequency: { seconds: 5 },
          timeout: { minutes: 5 },
          // What runs beside this backend, and the portal itself, come up first.
          initialDelay: { seconds: 20 },
        },
    concurrency: whole(config, 'concurrency', 4, [1, 50]),
    alertAfter: whole(config, 'alertAfter', 1, [1, 10]),
    maxResponseBytes: whole(
      config,
      'maxResponseBytes',
      262_144,
      [1024, 16_777_216],
    ),
    retentionMs,
    targets: new Map(
      (targets?.keys() ?? []).map(name => [
        name,
        readTarget(name, targets!.getConfig(name)),
      ]),
    ),
  };
}
