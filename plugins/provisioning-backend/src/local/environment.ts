import { delimiter, dirname } from 'node:path';
import type { RuntimeTarget } from '@rocket/plugin-provisioning-node';
import type { DatabaseAccess } from './ServiceDatabases';
import { MARKER } from './processes';

/** Where the services' New Relic agents report to. */
export interface NewRelicTarget {
  host?: string;
  port?: number;
  licenseKey: string;
  caFile?: string;
}

/** The backend's own Node.js first, so that `node` is the one that is known to work. */
function searchPath(): string {
  return [dirname(process.execPath), process.env.PATH ?? '/usr/bin:/bin'].join(
    delimiter,
  );
}

/** What a package manager needs to reach its registry and its cache. Nothing else of the backend's environment is passed on. */
const INSTALL_VARIABLES =
  /^(npm_config_.*|(https?|no|all)_proxy|node_extra_ca_certs|ssl_cert_(file|dir)|home|user|logname|tmpdir|xdg_cache_home)$/i;

export function installEnvironment(
  target: RuntimeTarget,
  runtimeDirectory: string,
): Record<string, string> {
  const env: Record<string, string> = {
    LANG: 'C.UTF-8',
    CI: '1',
    npm_config_update_notifier: 'false',
    // Versions are locked, so what the cache knows of them is true: no package is asked for twice, and a laptop without a network can
    // start another service. Whoever sets these for the backend decides.
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  };
  for (const [key, value] of Object.entries(process.env)) {
    if (value !== undefined && INSTALL_VARIABLES.test(key)) env[key] = value;
  }
  return {
    ...env,
    PATH: searchPath(),
    ROCKET_SERVICE_NAME: target.name,
    [MARKER]: runtimeDirectory,
  };
}

/** The whole environment of a service's process. */
export function serviceEnvironment(options: {
  target: RuntimeTarget;
  port: number;
  home: string;
  runtimeDirectory: string;
  database?: DatabaseAccess;
  newRelic?: NewRelicTarget;
  /** The CA file, if it is there: Node.js warns about a missing one. */
  caFile?: string;
}): Record<string, string> {
  const { target, database, newRelic } = options;
  const env: Record<string, string> = {
    PATH: searchPath(),
    HOME: options.home,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: String(options.port),
    ROCKET_SERVICE_NAME: target.name,
    [MARKER]: options.runtimeDirectory,
    NEW_RELIC_ENABLED: newRelic ? 'true' : 'false',
    NEW_RELIC_APP_NAME: target.name,
  };
  if (target.criticalPath) env.ROCKET_CRITICAL_PATH = target.criticalPath;
  if (database) env.DATABASE_URL = database.appUrl;
  if (!newRelic) return env;

  env.NEW_RELIC_LICENSE_KEY = newRelic.licenseKey;
  if (newRelic.host) env.NEW_RELIC_HOST = newRelic.host;
  if (newRelic.port) env.NEW_RELIC_PORT = String(newRelic.port);
  if (options.caFile) env.NODE_EXTRA_CA_CERTS = options.caFile;
  // Into the service's log, which is bounded; the agent's own file is not.
  env.NEW_RELIC_LOG = 'stdout';
  env.NEW_RELIC_LOG_LEVEL = 'warn';
  env.NEW_RELIC_LABELS = labels({
    owner: target.owner,
    criticalPath: target.criticalPath,
    commit: target.commit.slice(0, 12),
    environment: target.environment?.name ?? 'local',
  });
  for (const cloud of [
    'AWS',
    'AZURE',
    'AZUREFUNCTION',
    'DOCKER',
    'GCP',
    'KUBERNETES',
    'PCF',
  ]) {
    env[`NEW_RELIC_UTILIZATION_DETECT_${cloud}`] = 'false';
  }
  return env;
}

/** `key:value;key:value`; the two separators cannot be escaped. */
function labels(values: Record<string, string | undefined>): string {
  return Object.entries(values)
    .filter(([, value]) => value)
    .map(([key, value]) => `${key}:${value!.replace(/[:;]/g, '/')}`)
    .join(';');
}
