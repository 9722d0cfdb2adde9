import type { Config } from '@backstage/config';

const DEFAULT_KINDS = ['Component', 'API', 'Resource', 'System'];
/** A Location makes the catalog fetch an address of the caller's choice. */
const FORBIDDEN_KINDS = ['location'];

export interface CiRegistryConfig {
  allowedKinds: string[];
  maxEntities: number;
  maxBodyBytes: number;
}

function readPositive(config: Config, key: string, fallback: number): number {
  const value = config.getOptionalNumber(key) ?? fallback;
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`${key} must be a whole number of at least 1, is ${value}`);
  }
  return value;
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
  return {
    allowedKinds,
    maxEntities: readPositive(config, 'ciRegistry.maxEntities', 500),
    maxBodyBytes: readPositive(
      config,
      'ciRegistry.maxBodyBytes',
      5 * 1024 * 1024,
    ),
  };
}
