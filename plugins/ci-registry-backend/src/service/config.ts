import { type Config, readDurationFromConfig } from '@backstage/config';
import { durationToMilliseconds } from '@backstage/types';
import type { CheckLevels } from './CatalogChecks';
import type { RequiredAnnotation } from './EntityValidator';

const DEFAULT_KINDS = ['Component', 'API', 'Resource', 'System'];
/** A Location makes the catalog fetch an address of the caller's choice. */
const FORBIDDEN_KINDS = ['location'];
/** Where the portal keeps what is its own. */
const DEFAULT_RESERVED = ['backstage', 'rocket'];
const DEFAULT_LEVELS: CheckLevels = {
  owner: 'warning',
  relations: 'warning',
  criticalPath: 'error',
};
const DAY_MS = 24 * 60 * 60_000;

export interface CiRegistryConfig {
  allowedKinds: string[];
  reservedNamespaces: string[];
  requiredAnnotations: RequiredAnnotation[];
  checks: CheckLevels;
  maxEntities: number;
  maxBodyBytes: number;
  pushesPerMinute: number;
  /** How long what was given up stays in the catalog, ms. */
  graceMs: number;
  /** How long changes and what was removed are kept, ms. */
  retentionMs: number;
}

function readPositive(config: Config, key: string, fallback: number): number {
  const value = config.getOptionalNumber(key) ?? fallback;
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`${key} must be a whole number of at least 1, is ${value}`);
  }
  return value;
}

function readChoice<T extends string>(
  config: Config,
  key: string,
  choices: readonly T[],
  fallback: T,
): T {
  const value = config.getOptionalString(key) ?? fallback;
  const found = choices.find(choice => choice === value);
  if (!found) {
    throw new Error(`${key} must be one of ${choices.join(', ')}, is ${value}`);
  }
  return found;
}

function readRequired(config: Config): RequiredAnnotation[] {
  const entries =
    config.getOptionalConfigArray('ciRegistry.requiredAnnotations') ?? [];
  return entries.map(entry => ({
    annotation: entry.getString('annotation'),
    kinds: entry.getOptionalStringArray('kinds') ?? ['Component'],
    types: entry.getOptionalStringArray('types'),
    severity: readChoice(entry, 'severity', ['error', 'warning'], 'error'),
  }));
}

function readGrace(config: Config): number {
  const key = 'ciRegistry.goneGraceTime';
  return config.has(key)
    ? durationToMilliseconds(readDurationFromConfig(config, { key }))
    : DAY_MS;
}

/** Reads `ciRegistry`, see config.d.ts. */
export function readCiRegistryConfig(config: Config): CiRegistryConfig {
  const allowedKinds =
    config.getOptionalStringArray('ciRegistry.allowedKinds') ?? DEFAULT_KINDS;
  const forbidden = allowedKinds.find(kind =>
    FORBIDDEN_KINDS.includes(kind.toLocaleLowerCase('en-US')),
  );
  if (forbidden) {
    throw new Error(
      `ciRegistry.allowedKinds must not hold ${forbidden}: the catalog would fetch whatever address it names`,
    );
  }
  const level = (name: keyof CheckLevels) =>
    readChoice(
      config,
      `ciRegistry.checks.${name}`,
      ['error', 'warning', 'off'],
      DEFAULT_LEVELS[name],
    );
  return {
    allowedKinds,
    reservedNamespaces: (
      config.getOptionalStringArray('ciRegistry.reservedNamespaces') ??
      DEFAULT_RESERVED
    ).map(name => name.toLocaleLowerCase('en-US')),
    requiredAnnotations: readRequired(config),
    checks: {
      owner: level('owner'),
      relations: level('relations'),
      criticalPath: level('criticalPath'),
    },
    maxEntities: readPositive(config, 'ciRegistry.maxEntities', 500),
    maxBodyBytes: readPositive(
      config,
      'ciRegistry.maxBodyBytes',
      5 * 1024 * 1024,
    ),
    pushesPerMinute: readPositive(config, 'ciRegistry.pushesPerMinute', 120),
    graceMs: readGrace(config),
    retentionMs:
      readPositive(config, 'ciRegistry.historyRetentionDays', 365) * DAY_MS,
  };
}
