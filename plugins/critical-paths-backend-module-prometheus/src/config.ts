import {
  type Config,
  ConfigReader,
  readDurationFromConfig,
} from '@backstage/config';
import { InputError, NotFoundError } from '@backstage/errors';
import { durationToMilliseconds } from '@backstage/types';
import { isIP } from 'node:net';

const SECTION = 'criticalPaths.prometheus';
const METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** One server, ready to be asked. */
export interface PrometheusServer {
  name: string;
  /** Without a trailing slash. */
  baseUrl: string;
  uiUrl?: string;
  /** Headers of each request, credentials among them. Never to be logged. */
  headers: () => Record<string, string>;
  /** Where it is configured, for messages. */
  path: string;
  duration: string;
  /** Milliseconds that one unit of the histogram is. */
  unitMs: number;
  requests?: string;
  labels: {
    application: string;
    criticalPath?: string;
    status: string;
    errorType: string;
    method: string;
    route: string;
  };
  match: Record<string, string>;
  badStatus: string;
  lookbackSeconds: number;
}

export interface PrometheusSettings {
  servers: PrometheusServer[];
  defaultServer?: PrometheusServer;
  timeoutMs: number;
  maxConcurrency: number;
  maxResponseBytes: number;
}

function integer(
  config: Config,
  key: string,
  [fallback, min, max]: [number, number, number],
): number {
  const value = config.getOptionalNumber(key) ?? fallback;
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InputError(
      `${SECTION}.${key} must be a whole number from ${min} to ${max}, got ${value}`,
    );
  }
  return value;
}

function seconds(
  config: Config,
  key: string,
  path: string,
  [fallback, min, max]: [number, number, number],
): number {
  const value = config.has(key)
    ? durationToMilliseconds(readDurationFromConfig(config, { key })) / 1000
    : fallback;
  if (!(value >= min && value <= max)) {
    throw new InputError(
      `${path}.${key} must be from ${min} to ${max} seconds, got ${value}`,
    );
  }
  return value;
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return (
    host === 'localhost' ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

function url(config: Config, key: string, path: string): URL | undefined {
  const value = config.getOptionalString(key);
  if (value === undefined) return undefined;
  let parsed: URL;
  try {
    parsed = new URL(value);
  } catch {
    throw new InputError(
      `${path}.${key} must be an absolute URL, for example https://prometheus.example.com`,
    );
  }
  if (!/^https?:$/.test(parsed.protocol)) {
    throw new InputError(`${path}.${key} must start with https://`);
  }
  if (parsed.username || parsed.password) {
    throw new InputError(
      `${path}.${key} must not contain a user name or password; they belong in auth`,
    );
  }
  if (parsed.search || parsed.hash) {
    throw new InputError(`${path}.${key} must not contain ? or #`);
  }
  return parsed;
}

const trimmed = (parsed: URL) => parsed.toString().replace(/\/+$/, '');

function authorization(config: Config, path: string): string | undefined {
  const token = config.getOptionalString('auth.token');
  const username = config.getOptionalString('auth.username');
  const password = config.getOptionalString('auth.password');
  if (token !== undefined) {
    if (username !== undefined || password !== undefined) {
      throw new InputError(
        `${path}.auth must have either a token, or a username and a password`,
      );
    }
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw new InputError(
        `${path}.auth.token must be printable ASCII characters without blanks`,
      );
    }
    return `Bearer ${token}`;
  }
  if (username === undefined && password === undefined) return undefined;
  if (!username || password === undefined) {
    throw new InputError(
      `${path}.auth needs both a username and a password, or a token`,
    );
  }
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function strings(
  config: Config,
  key: string,
  path: string,
  pattern: RegExp,
): Record<string, string> {
  const values = config.getOptionalConfig(key);
  return Object.fromEntries(
    (values?.keys() ?? []).map(name => {
      if (!pattern.test(name)) {
        throw new InputError(`${path}.${key} has an impossible name "${name}"`);
      }
      const value = values!.getString(name);
      if (/[\r\n\0]/.test(value)) {
        throw new InputError(`${path}.${key}.${name} must be one line`);
      }
      return [name, value];
    }),
  );
}

function readServer(config: Config, path: string): PrometheusServer {
  const name = config.getOptionalString('name');
  if (!name || !/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(name)) {
    throw new InputError(
      `${path}.name must be 1 to 63 letters, digits, '.', '_' or '-', starting and ending with a letter or digit`,
    );
  }
  const baseUrl = url(config, 'baseUrl', path);
  if (!baseUrl) {
    throw new InputError(`${path}.baseUrl is missing`);
  }
  const local = isLoopback(baseUrl.hostname);
  if (
    baseUrl.protocol === 'http:' &&
    !local &&
    !config.getOptionalBoolean('insecure')
  ) {
    throw new InputError(
      `${path}.baseUrl must start with https://, or ${path}.insecure must be true`,
    );
  }
  const uiUrl = url(config, 'uiUrl', path) ?? (local ? undefined : baseUrl);
  const named = (key: string, fallback: string, pattern: RegExp) => {
    const value = config.getOptionalString(key) ?? fallback;
    if (!pattern.test(value)) {
      throw new InputError(
        `${path}.${key} must be a name that Prometheus allows, got "${value}"`,
      );
    }
    return value;
  };
  const optional = (key: string, pattern: RegExp) =>
    config.has(key) ? named(key, '', pattern) : undefined;
  const unit = config.getOptionalString('metrics.unit') ?? 'seconds';
  if (unit !== 'seconds' && unit !== 'milliseconds') {
    throw new InputError(
      `${path}.metrics.unit must be seconds or milliseconds, got "${unit}"`,
    );
  }
  const auth = authorization(config, path);
  const headers = {
    ...strings(config, 'headers', path, /^[A-Za-z0-9-]+$/),
    ...(auth ? { Authorization: auth } : {}),
  };
  return {
    name,
    path,
    baseUrl: trimmed(baseUrl),
    uiUrl: uiUrl && trimmed(uiUrl),
    headers: () => headers,
    duration: named(
      'metrics.duration',
      'http_server_request_duration_seconds',
      METRIC,
    ),
    unitMs: unit === 'seconds' ? 1000 : 1,
    requests: optional('metrics.requests', METRIC),
    labels: {
      application: named('labels.application', 'job', LABEL),
      criticalPath: optional('labels.criticalPath', LABEL),
      status: named('labels.status', 'http_response_status_code', LABEL),
      errorType: named('labels.errorType', 'error_type', LABEL),
      method: named('labels.method', 'http_request_method', LABEL),
      route: named('labels.route', 'http_route', LABEL),
    },
    match: strings(config, 'match', path, LABEL),
    badStatus: config.getOptionalString('badStatus') ?? '5..',
    lookbackSeconds: Math.round(
      seconds(config, 'lookback', path, [3600, 300, 86_400]),
    ),
  };
}

/**
 * Reads `criticalPaths.prometheus`.
 *
 * @throws InputError naming the field
 */
export function readPrometheusSettings(root: Config): PrometheusSettings {
  const config = root.getOptionalConfig(SECTION) ?? new ConfigReader({});
  const list = config.getOptionalConfigArray('servers') ?? [];
  const servers = list.map((one, i) =>
    readServer(one, `${SECTION}.servers[${i}]`),
  );
  servers.forEach(({ name, path }, i) => {
    if (servers.findIndex(other => other.name === name) !== i) {
      throw new InputError(`${path}.name "${name}" is used twice`);
    }
  });
  const marked = servers.filter((_, i) =>
    list[i].getOptionalBoolean('default'),
  );
  if (marked.length > 1) {
    throw new InputError(
      `${SECTION}.servers: only one can be the default, found ${marked
        .map(({ name }) => name)
        .join(', ')}`,
    );
  }
  return {
    servers,
    defaultServer: marked[0] ?? (servers.length === 1 ? servers[0] : undefined),
    timeoutMs: seconds(config, 'timeout', SECTION, [30, 1, 300]) * 1000,
    maxConcurrency: integer(config, 'maxConcurrency', [4, 1, 20]),
    maxResponseBytes: integer(
      config,
      'maxResponseBytes',
      [33_554_432, 65_536, 268_435_456],
    ),
  };
}

/** The server of that name, or the default one. */
export function findServer(
  { servers, defaultServer }: PrometheusSettings,
  name?: string,
): PrometheusServer {
  const found =
    name === undefined
      ? defaultServer
      : servers.find(server => server.name === name);
  if (!found) {
    const known = servers.map(server => server.name).join(', ');
    throw new NotFoundError(
      name === undefined
        ? `No Prometheus server is named, and there is no default one; there are: ${
            known || 'none'
          }`
        : `There is no Prometheus server named '${name}'; there are: ${
            known || 'none'
          }`,
    );
  }
  return found;
}
