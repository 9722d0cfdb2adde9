import {
  type Config,
  ConfigReader,
  readDurationFromConfig,
} from '@backstage/config';
import { InputError } from '@backstage/errors';
import { durationToMilliseconds } from '@backstage/types';
import { isIP } from 'node:net';
import { SecretKey } from './secretKey';
import type { NewRelicAccount } from './types';

const REGIONS = {
  US: {
    endpoint: 'https://api.newrelic.com/graphql',
    ui: 'https://one.newrelic.com',
  },
  EU: {
    endpoint: 'https://api.eu.newrelic.com/graphql',
    ui: 'https://one.eu.newrelic.com',
  },
  JP: {
    endpoint: 'https://api.jp.newrelic.com/graphql',
    ui: 'https://one.jp.newrelic.com',
  },
} as const;

/** An account with what is needed to reach it; stays inside this package. */
export interface AccountSettings extends NewRelicAccount {
  endpoint: string;
  key: SecretKey;
  /** Where the key is configured, for messages. */
  keyPath: string;
}

/** The `newrelic` section, validated. */
export interface NewRelicSettings {
  accounts: AccountSettings[];
  defaultAccount?: AccountSettings;
  timeoutMs: number;
  queryTimeoutSeconds: number;
  maxConcurrency: number;
  maxAliasesPerRequest: number;
  maxResponseBytes: number;
  maxRetryAfterMs: number;
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return (
    host === 'localhost' ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

function readInteger(
  config: Config,
  key: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const value = config.getOptionalNumber(key) ?? fallback;
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InputError(
      `newrelic.${key} must be a whole number from ${min} to ${max}, got ${value}`,
    );
  }
  return value;
}

function readMilliseconds(
  config: Config,
  key: string,
  fallback: number,
  min: number,
  max: number,
): number {
  const value = config.has(key)
    ? durationToMilliseconds(readDurationFromConfig(config, { key }))
    : fallback;
  if (!(value >= min && value <= max)) {
    throw new InputError(
      `newrelic.${key} must be from ${min / 1000} to ${
        max / 1000
      } seconds, got ${value / 1000}`,
    );
  }
  return value;
}

function readUrl(value: string, path: string): URL {
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    throw new InputError(
      `${path} must be an absolute URL, for example https://api.newrelic.com/graphql`,
    );
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new InputError(`${path} must start with https://`);
  }
  if (url.username || url.password) {
    throw new InputError(
      `${path} must not contain a user name or password; the key belongs in apiKey`,
    );
  }
  return url;
}

function readAccount(config: Config, path: string): AccountSettings {
  const name = config.getOptionalString('name');
  if (!name || !/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(name)) {
    throw new InputError(
      `${path}.name must be 1 to 63 letters, digits, '.', '_' or '-', ` +
        `starting and ending with a letter or digit`,
    );
  }
  const id = config.getOptionalNumber('id');
  if (id === undefined || !Number.isSafeInteger(id) || id < 1) {
    throw new InputError(
      `${path}.id must be the number of the New Relic account`,
    );
  }
  const region = config.getOptionalString('region') ?? 'US';
  if (!Object.hasOwn(REGIONS, region)) {
    throw new InputError(
      `${path}.region must be one of ${Object.keys(REGIONS).join(
        ', ',
      )}, got '${region}'`,
    );
  }
  const regionName = region as keyof typeof REGIONS;

  const endpoint = readUrl(
    config.getOptionalString('endpoint') ?? REGIONS[regionName].endpoint,
    `${path}.endpoint`,
  );
  const local = isLoopback(endpoint.hostname);
  if (endpoint.protocol === 'http:' && !local) {
    throw new InputError(
      `${path}.endpoint must start with https://, since the API key travels with each request; ` +
        `http:// is allowed only on this machine (localhost, 127.0.0.1, [::1])`,
    );
  }

  const apiKey = config.getOptionalString('apiKey');
  if (!apiKey) {
    throw new InputError(
      `${path}.apiKey is missing: set it, or the environment variable that it refers to, ` +
        `to a New Relic user key, or remove account '${name}'`,
    );
  }
  // Also keeps line breaks out of the header, and makes redaction meaningful.
  if (!/^[\x21\x23-\x5b\x5d-\x7e]{8,}$/.test(apiKey)) {
    throw new InputError(
      `${path}.apiKey must be at least 8 printable ASCII characters without blanks, quotes or backslashes`,
    );
  }

  const uiBaseUrl = config.getOptionalString('uiBaseUrl');
  return {
    name,
    id,
    region: regionName,
    endpoint: endpoint.toString(),
    key: new SecretKey(apiKey),
    keyPath: `${path}.apiKey`,
    uiBaseUrl: uiBaseUrl
      ? readUrl(uiBaseUrl, `${path}.uiBaseUrl`).toString().replace(/\/+$/, '')
      : (!local && REGIONS[regionName].ui) || undefined,
  };
}

/**
 * Reads and validates the `newrelic` section of the configuration; without one
 * there are no accounts.
 *
 * @throws InputError naming the field and what it may be
 */
export function readNewRelicSettings(rootConfig: Config): NewRelicSettings {
  const config =
    rootConfig.getOptionalConfig('newrelic') ??
    new ConfigReader({}, 'app-config');
  const accountConfigs = config.getOptionalConfigArray('accounts') ?? [];
  const accounts: AccountSettings[] = [];
  const defaults: string[] = [];

  accountConfigs.forEach((accountConfig, index) => {
    const path = `newrelic.accounts[${index}]`;
    const account = readAccount(accountConfig, path);
    const twin = accounts.findIndex(({ name }) => name === account.name);
    if (twin >= 0) {
      throw new InputError(
        `${path}.name '${account.name}' is already the name of newrelic.accounts[${twin}]; names must be unique`,
      );
    }
    accounts.push(account);
    if (accountConfig.getOptionalBoolean('default'))
      defaults.push(account.name);
  });

  if (defaults.length > 1) {
    throw new InputError(
      `newrelic.accounts: only one account may have default: true, found ${defaults
        .map(name => `'${name}'`)
        .join(' and ')}`,
    );
  }
  const timeoutMs = readMilliseconds(config, 'timeout', 20_000, 1_000, 180_000);
  const queryTimeoutMs = readMilliseconds(
    config,
    'queryTimeout',
    15_000,
    5_000,
    120_000,
  );
  return {
    accounts,
    // A single account needs no mark.
    defaultAccount:
      accounts.length === 1
        ? accounts[0]
        : accounts.find(({ name }) => name === defaults[0]),
    timeoutMs,
    queryTimeoutSeconds: Math.round(queryTimeoutMs / 1000),
    maxConcurrency: readInteger(config, 'maxConcurrency', 10, 1, 25),
    maxAliasesPerRequest: readInteger(config, 'maxAliasesPerRequest', 5, 1, 20),
    maxResponseBytes: readInteger(
      config,
      'maxResponseBytes',
      33_554_432,
      65_536,
      268_435_456,
    ),
    maxRetryAfterMs: readMilliseconds(
      config,
      'maxRetryAfter',
      30_000,
      0,
      600_000,
    ),
  };
}
