import type { RootConfigService } from '@backstage/backend-plugin-api';
import { readDurationFromConfig } from '@backstage/config';
import { InputError } from '@backstage/errors';
import {
  durationToMilliseconds,
  type HumanDuration,
  type JsonObject,
} from '@backstage/types';
import type { RuntimeEnvironment } from '@rocket/plugin-provisioning-node';

/** `provisioning.kubernetes`; what each field means is in config.d.ts. Times in milliseconds. */
export interface KubernetesSettings {
  readyTimeoutMs: number;
  migrationTimeoutMs: number;
  secretTimeoutMs: number;
  watchMs: number;
  keepMs: number;
  pollMs: number;
  gate: boolean;
}

export const DEFAULT_SETTINGS: KubernetesSettings = {
  readyTimeoutMs: 5 * 60_000,
  migrationTimeoutMs: 15 * 60_000,
  secretTimeoutMs: 60_000,
  watchMs: 60_000,
  keepMs: 30 * 60_000,
  pollMs: 2_000,
  gate: true,
};

/** Reads and checks `provisioning.kubernetes`. */
export function readKubernetesSettings(
  root: RootConfigService,
): KubernetesSettings {
  const at = 'provisioning.kubernetes';
  const config = root.getOptionalConfig(at);
  const duration = (key: string, fallback: number, least: number) => {
    const value = config?.has(key)
      ? durationToMilliseconds(
          readDurationFromConfig(config, { key }) as HumanDuration,
        )
      : fallback;
    if (value < least)
      throw new InputError(`${at}.${key}: must be ${least / 1000} s or more`);
    return value;
  };
  const D = DEFAULT_SETTINGS;
  return {
    readyTimeoutMs: duration('readyTimeout', D.readyTimeoutMs, 1_000),
    migrationTimeoutMs: duration(
      'migrationTimeout',
      D.migrationTimeoutMs,
      1_000,
    ),
    secretTimeoutMs: duration('secretTimeout', D.secretTimeoutMs, 1_000),
    watchMs: duration('watch', D.watchMs, 0),
    keepMs: duration('keep', D.keepMs, 0),
    pollMs: D.pollMs,
    gate: config?.getOptionalBoolean('gate') ?? D.gate,
  };
}

/** Where exactly a service runs. */
export interface Place {
  cluster: string;
  namespace: string;
  environment: string;
  tier: RuntimeEnvironment['tier'];
  /** Whether Rocket makes the namespace and what bounds it. */
  ownsNamespace: boolean;
  /** Whether the cluster has the External Secrets Operator; else the Secrets must be there. */
  externalSecrets: boolean;
  url: string;
}

const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** Namespaces of clusters themselves. */
const RESERVED = /^(kube-.*|default)$/;

function textOf(settings: JsonObject, field: string, at: string) {
  const value = settings[field];
  if (value !== undefined && (typeof value !== 'string' || !value))
    throw new InputError(`${at}.${field}: must be a text`);
  return value as string | undefined;
}

function switchOf(settings: JsonObject, field: string, at: string) {
  const value = settings[field] ?? true;
  if (typeof value !== 'boolean')
    throw new InputError(`${at}.${field}: must be true or false`);
  return value;
}

/** @throws InputError when it is no name for a namespace, or a cluster's own. */
export function checkNamespace(namespace: unknown, where: string): string {
  if (typeof namespace !== 'string' || !NAMESPACE.test(namespace))
    throw new InputError(
      `${where}: must be 1 to 63 lower-case letters, digits and hyphens`,
    );
  if (RESERVED.test(namespace))
    throw new InputError(`${where}: '${namespace}' belongs to the cluster`);
  return namespace;
}

/**
 * Where a service runs in an environment: the environment's `cluster`,
 * `namespace` and `url`, in which `{service}` and `{environment}` stand for
 * their names. A record's name that ends with the environment's (`ledger-staging`)
 * is the service before it (`ledger`), so that the environment is not there twice.
 * @param component - the name that its manifests give to the Service; default: the service's
 */
export function placeOf(
  record: string,
  environment: RuntimeEnvironment | undefined,
  component?: string,
): Place {
  if (!environment)
    throw new InputError(
      'The runtime kubernetes needs an environment; name one of provisioning.environments',
    );
  const at = `provisioning.environments.${environment.name}.kubernetes`;
  const { settings, name, tier } = environment;
  const cluster = textOf(settings, 'cluster', at);
  if (!cluster) throw new InputError(`${at}.cluster: is missing`);
  const service = record.endsWith(`-${name}`)
    ? record.slice(0, -name.length - 1)
    : record;
  const fill = (text: string) =>
    text.replaceAll('{service}', service).replaceAll('{environment}', name);
  const given = textOf(settings, 'namespace', at);
  const room = 62 - name.length;
  const namespace = checkNamespace(
    given ? fill(given) : `${service.slice(0, Math.max(1, room))}-${name}`,
    `${at}.namespace`,
  );
  const url = textOf(settings, 'url', at);
  return {
    cluster,
    namespace,
    environment: name,
    tier,
    ownsNamespace: switchOf(settings, 'createNamespace', at),
    externalSecrets: switchOf(settings, 'externalSecrets', at),
    url: url
      ? fill(url)
      : `http://${component ?? service}.${namespace}.svc.cluster.local`,
  };
}
