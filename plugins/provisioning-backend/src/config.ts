import { isAbsolute, resolve } from 'node:path';
import type { RootConfigService } from '@backstage/backend-plugin-api';
import { readDurationFromConfig, type Config } from '@backstage/config';
import { InputError } from '@backstage/errors';
import { durationToMilliseconds, type HumanDuration } from '@backstage/types';
import type { EffectsConfig } from './effects/createEffects';
import type { EffectQuota } from './effects/Preflight';
import type { GitLimits } from './git/gitRouter';
import type { NewRelicTarget } from './local/environment';
import type { HandOverPolicy } from './local/handOver';
import type { SupervisionPolicy } from './local/SupervisedProcess';

export interface ProvisioningConfig {
  dataDir: string;
  effects: EffectsConfig;
  git: GitLimits & { tokenTtlMs: number };
  databases: {
    /** Beside the local runtime's own: name and URL of an administrator. */
    servers: { name: string; url: string }[];
    connectionLimit: number;
    retentionMs: number;
  };
  local: {
    enabled: boolean;
    postgres: { port: number; url?: string };
    ports: { from: number; to: number };
    newRelic?: NewRelicTarget;
    policy: SupervisionPolicy;
    handOver: HandOverPolicy;
    requestIdleMs: number;
    maxInstances: number;
    commandTimeoutMs: number;
  };
}

/** Reads and checks `provisioning`; what each field means is in config.d.ts. */
export function readProvisioningConfig(
  root: RootConfigService,
): ProvisioningConfig {
  const config = root.getConfig('provisioning');
  const path = (value: string) =>
    isAbsolute(value) ? value : resolve(process.cwd(), value);
  const duration = (key: string, fallback: HumanDuration) =>
    durationToMilliseconds(
      config.has(key) ? readDurationFromConfig(config, { key }) : fallback,
    );
  const whole = (key: string, fallback: number, min: number, max: number) => {
    const value = config.getOptionalNumber(key) ?? fallback;
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InputError(
        `provisioning.${key}: must be a whole number from ${min} to ${max}, was ${value}`,
      );
    }
    return value;
  };
  const share = (key: string, fallback: number) => {
    const value = config.getOptionalNumber(key) ?? fallback;
    if (!(value > 0 && value <= 1)) {
      throw new InputError(
        `provisioning.${key}: must be a number above 0 and up to 1, was ${value}`,
      );
    }
    return value;
  };

  const from = whole('local.ports.from', 7100, 1024, 65535);
  const to = whole('local.ports.to', 7199, from, 65535);
  return {
    dataDir: path(config.getString('dataDir')),
    effects: {
      quotas: (config.getOptionalConfigArray('quota') ?? []).map(readQuota),
      reconcileIntervalMs: duration('reconcile.interval', { minutes: 5 }),
    },
    git: {
      tokenTtlMs: duration('git.tokenTtl', { minutes: 10 }),
      timeoutMs: duration('git.timeout', { minutes: 10 }),
      maxRequestBytes: whole(
        'git.maxRequestBytes',
        200 * 1024 * 1024,
        1024,
        Number.MAX_SAFE_INTEGER,
      ),
      maxConcurrent: whole('git.maxConcurrent', 16, 1, 1000),
    },
    databases: {
      servers: readServers(config),
      connectionLimit: whole('databases.connectionLimit', 50, 1, 10_000),
      retentionMs: duration('databases.retention', { days: 30 }),
    },
    local: {
      enabled: config.getOptionalBoolean('local.enabled') ?? true,
      postgres: {
        port: whole('local.postgres.port', 7012, 1024, 65535),
        url: config.getOptionalString('local.postgres.url'),
      },
      ports: { from, to },
      newRelic: readNewRelic(config, path),
      policy: {
        readyTimeoutMs: duration('local.readyTimeout', { seconds: 60 }),
        healthIntervalMs: duration('local.healthInterval', { seconds: 10 }),
        maxRestarts: whole('local.restart.max', 5, 0, 1000),
        restartDelayMs: duration('local.restart.delay', { seconds: 1 }),
        maxRestartDelayMs: duration('local.restart.maxDelay', { seconds: 30 }),
        stableAfterMs: duration('local.restart.stableAfter', { minutes: 5 }),
        stopGraceMs: duration('local.stopGrace', { seconds: 10 }),
      },
      handOver: {
        watchMs: duration('local.handOver.watch', { seconds: 10 }),
        drainMs: duration('local.handOver.drain', { seconds: 15 }),
        maxFailureShare: share('local.handOver.maxFailureShare', 0.5),
      },
      requestIdleMs: duration('local.requestIdle', { minutes: 2 }),
      maxInstances: whole('local.maxInstances', 4, 1, 32),
      commandTimeoutMs: duration('local.commandTimeout', { minutes: 10 }),
    },
  };
}

function readNewRelic(
  config: Config,
  path: (value: string) => string,
): NewRelicTarget | undefined {
  const newRelic = config.getOptionalConfig('local.newrelic');
  if (!newRelic) return undefined;
  const caFile = newRelic.getOptionalString('caFile');
  return {
    host: newRelic.getOptionalString('host'),
    port: newRelic.getOptionalNumber('port'),
    licenseKey: newRelic.getString('licenseKey'),
    caFile: caFile && path(caFile),
  };
}

function readServers(config: Config): { name: string; url: string }[] {
  const servers = config.getOptionalConfig('databases.servers');
  return (servers?.keys() ?? []).map(name => {
    const key = `provisioning.databases.servers.${name}`;
    if (name === 'local' || !/^[a-z][a-z0-9-]{0,30}$/.test(name)) {
      throw new InputError(
        `${key}: the name must be lower-case letters, digits and dashes, and not 'local'`,
      );
    }
    const url = servers!.getString(`${name}.url`);
    if (!/^postgres(ql)?:$/.test(URL.parse(url)?.protocol ?? '')) {
      throw new InputError(
        `${key}.url: must be a connection URL, postgresql://role:password@host:port/postgres`,
      );
    }
    return { name, url };
  });
}

function readQuota(rule: Config, index: number): EffectQuota {
  const max = rule.getNumber('max');
  if (!Number.isInteger(max) || max < 0) {
    throw new InputError(
      `provisioning.quota[${index}].max: must be a whole number from 0, was ${max}`,
    );
  }
  return {
    type: rule.getString('type'),
    owner: rule.getOptionalString('owner'),
    max,
  };
}
