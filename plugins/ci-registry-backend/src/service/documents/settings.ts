import type { RootConfigService } from '@backstage/backend-plugin-api';

/** `ciRegistry.documents` with its defaults. */
export interface DocumentSettings {
  /** Size of one definition in bytes of UTF-8. */
  maxBytes: number;
  /** Versions that are kept of each document. */
  versions: number;
  /** How long one comparison may take, ms. */
  timeoutMs: number;
}

function readWhole(
  config: RootConfigService,
  key: string,
  fallback: number,
): number {
  const value =
    config.getOptionalNumber(`ciRegistry.documents.${key}`) ?? fallback;
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(
      `ciRegistry.documents.${key} must be a whole number of at least 1, is ${value}`,
    );
  }
  return value;
}

/** See config.d.ts. */
export function readDocumentSettings(
  config: RootConfigService,
): DocumentSettings {
  return {
    maxBytes: readWhole(config, 'maxBytes', 1024 * 1024),
    versions: readWhole(config, 'versions', 100),
    timeoutMs: readWhole(config, 'compareSeconds', 10) * 1000,
  };
}
