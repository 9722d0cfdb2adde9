import type { RootConfigService } from '@backstage/backend-plugin-api';
import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import { readDurationFromConfig, type Config } from '@backstage/config';
import { InputError } from '@backstage/errors';
import {
  durationToMilliseconds,
  type HumanDuration,
  type JsonObject,
} from '@backstage/types';
import type { Environment } from '@rocket/plugin-provisioning-common';
import type { ApprovalRule } from '../operations/OperationPlanner';

const TIERS = ['development', 'staging', 'production'] as const;
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** Where services run when the configuration names no environment. */
export const LOCAL = 'local';

/** An environment of the configuration. */
export interface ConfiguredEnvironment
  extends Pick<Environment, 'name' | 'title' | 'runtime' | 'tier'> {
  approval?: ApprovalRule;
  /** The runtime's own settings (cluster, namespace). */
  settings: JsonObject;
}

/** What environments on demand are given. Times in milliseconds. */
export interface OnDemandSettings {
  runtime: string;
  ttlMs: number;
  maxTtlMs: number;
  extensions: number;
  extensionMs: number;
  /** People are told this long before the end. */
  noticeMs: number;
  quotaPerOwner: number;
  costPerDay?: number;
  currency?: string;
  settings: JsonObject;
}

export interface EnvironmentSettings {
  /** By name, at least one. */
  configured: ReadonlyMap<string, ConfiguredEnvironment>;
  onDemand: OnDemandSettings;
}

/** Reads and checks `provisioning.environments` and `provisioning.onDemand`; what each field means is in config.d.ts. */
export function readEnvironmentSettings(
  root: RootConfigService,
): EnvironmentSettings {
  const config = root.getOptionalConfig('provisioning.environments');
  const configured = new Map<string, ConfiguredEnvironment>();
  for (const name of config?.keys() ?? []) {
    configured.set(name, readEnvironment(name, config!.getConfig(name)));
  }
  if (configured.size === 0) {
    configured.set(LOCAL, {
      name: LOCAL,
      title: 'This machine',
      runtime: LOCAL,
      tier: 'development',
      settings: {},
    });
  }
  return { configured, onDemand: readOnDemand(root) };
}

function readEnvironment(name: string, config: Config): ConfiguredEnvironment {
  const at = `provisioning.environments.${name}`;
  if (!NAME.test(name)) {
    throw new InputError(`${at}: the name must be a DNS label`);
  }
  const tier = oneOf(
    `${at}.tier`,
    config.getOptionalString('tier') ?? 'development',
    TIERS,
  );
  const approval = readApproval(at, config.getOptionalConfig('approval'));
  if (approval && name === LOCAL) {
    // Its services are those of the runtime itself, which everybody with the right starts and stops.
    throw new InputError(
      `${at}.approval: services of the environment '${LOCAL}' cannot wait for an approver; give it another name`,
    );
  }
  return {
    name,
    title: config.getOptionalString('title') ?? name,
    runtime: config.getOptionalString('runtime') ?? LOCAL,
    tier,
    approval,
    settings: config.getOptional<JsonObject>('kubernetes') ?? {},
  };
}

function readApproval(
  at: string,
  config: Config | undefined,
): ApprovalRule | undefined {
  if (!config?.getOptionalBoolean('required')) return undefined;
  const approvers = (config.getOptionalStringArray('approvers') ?? []).map(
    ref => stringifyEntityRef(parseEntityRef(ref, { defaultKind: 'group' })),
  );
  if (approvers.length === 0) {
    throw new InputError(
      `${at}.approval.approvers: must name at least one group, since approval is required`,
    );
  }
  return {
    approvers,
    expiryMs: duration(config, 'expiry', { hours: 24 }, `${at}.approval`),
  };
}

function readOnDemand(root: RootConfigService): OnDemandSettings {
  const at = 'provisioning.onDemand';
  const config = root.getOptionalConfig(at);
  const time = (key: string, fallback: HumanDuration) =>
    config
      ? duration(config, key, fallback, at)
      : durationToMilliseconds(fallback);
  const whole = (key: string, fallback: number) => {
    const value = config?.getOptionalNumber(key) ?? fallback;
    if (!Number.isInteger(value) || value < 0 || value > 1000) {
      throw new InputError(
        `${at}.${key}: must be a whole number from 0 to 1000, was ${value}`,
      );
    }
    return value;
  };
  const ttlMs = time('ttl', { hours: 72 });
  const maxTtlMs = time('maxTtl', { days: 14 });
  if (maxTtlMs < ttlMs) {
    throw new InputError(`${at}.maxTtl: must not be shorter than ttl`);
  }
  const costPerDay = config?.getOptionalNumber('costPerDay');
  if (costPerDay !== undefined && !(costPerDay >= 0)) {
    throw new InputError(`${at}.costPerDay: must not be negative`);
  }
  return {
    runtime: config?.getOptionalString('runtime') ?? LOCAL,
    ttlMs,
    maxTtlMs,
    extensions: whole('extensions', 2),
    extensionMs: time('extension', { hours: 72 }),
    noticeMs: time('notice', { hours: 24 }),
    quotaPerOwner: whole('quotaPerOwner', 5),
    costPerDay,
    currency: config?.getOptionalString('currency'),
    settings: config?.getOptional<JsonObject>('kubernetes') ?? {},
  };
}

function duration(
  config: Config,
  key: string,
  fallback: HumanDuration,
  at: string,
): number {
  const ms = durationToMilliseconds(
    config.has(key) ? readDurationFromConfig(config, { key }) : fallback,
  );
  if (!(ms > 0))
    throw new InputError(`${at}.${key}: must be longer than nothing`);
  return ms;
}

function oneOf<T extends string>(
  at: string,
  value: string,
  allowed: readonly T[],
): T {
  if (!(allowed as readonly string[]).includes(value)) {
    throw new InputError(
      `${at}: must be one of ${allowed.join(', ')}, was '${value}'`,
    );
  }
  return value as T;
}
