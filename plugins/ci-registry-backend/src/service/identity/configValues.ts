import { type Config, readDurationFromConfig } from '@backstage/config';
import { durationToMilliseconds } from '@backstage/types';
import { Pattern } from './patterns';
import type { ClaimCondition } from './settings';

export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

/** Where a value is, for messages. */
export function at(config: Config, key: string, where: string): string {
  return config.has(key) ? `${where}.${key}` : `${where} needs ${key}; it`;
}

export function fail(where: string, reason: string): never {
  throw new Error(`${where} ${reason}`);
}

export function readDuration(
  config: Config | undefined,
  key: string,
  where: string,
  fallback: number,
  [min, max]: [number, number],
): number {
  const value = config?.has(key)
    ? durationToMilliseconds(readDurationFromConfig(config, { key }))
    : fallback;
  if (!(value >= min && value <= max)) {
    fail(
      `${where}.${key}`,
      `must lie between ${min / 1000} and ${max / 1000} seconds, is ${
        value / 1000
      }`,
    );
  }
  return value;
}

export function readStrings(config: Config, key: string): string[] | undefined {
  if (!config.has(key)) return undefined;
  return typeof config.getOptional(key) === 'string'
    ? [config.getString(key)]
    : config.getStringArray(key);
}

export function readPatterns(
  config: Config,
  key: string,
  where: string,
): Pattern[] {
  return (readStrings(config, key) ?? []).map(text => {
    try {
      return new Pattern(text);
    } catch (error) {
      return fail(`${where}.${key} "${text}"`, (error as Error).message);
    }
  });
}

export function readConditions(
  config: Config,
  key: string,
  where: string,
): ClaimCondition[] {
  const claims = config.getOptional<Record<string, unknown>>(key) ?? {};
  return Object.entries(claims).map(([claim, value]) => {
    const texts = Array.isArray(value) ? value : [value];
    if (!texts.length || texts.includes('')) {
      fail(`${where}.${key}.${claim}`, 'must not be empty');
    }
    return {
      claim,
      // Ids are numbers in YAML unless somebody thinks of the quotes.
      patterns: texts.map(text => new Pattern(String(text))),
    };
  });
}

/** No path of the answer leads through an unprotected line, except on this machine. */
export function checkUrl(where: string, value: string): string {
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    return fail(where, `must be a URL, is "${value}"`);
  }
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(loopback && url.protocol === 'http:')) {
    fail(where, 'must begin with https://');
  }
  if (url.username || url.search || url.hash) {
    fail(where, 'must have neither credentials nor query');
  }
  return value;
}
