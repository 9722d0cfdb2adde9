import type {
  ApiDocumentVersion,
  ApiFormat,
} from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';

/** A version with what is needed to put a push before or after it. */
export interface StoredDocument {
  version: ApiDocumentVersion;
  definition: string;
  /** The newest commit that had it, and the time of its pipeline, ms since 1970. */
  seen: { commit: string; time: number };
}

/** The versions of API documents. */
export interface DocumentStore {
  /** The newest version of each of these APIs that has one. */
  latest(
    apis: string[],
    db?: Knex.Transaction,
  ): Promise<Map<string, StoredDocument>>;
  /** The newest first. */
  list(api: string): Promise<ApiDocumentVersion[]>;
  /** The definition of one version as it was pushed. */
  definition(
    api: string,
    version: number,
  ): Promise<{ format: ApiFormat; definition: string } | undefined>;
  /** Adds a version, and forgets the oldest ones beyond `keep`. */
  add(
    tx: Knex.Transaction,
    document: StoredDocument,
    keep: number,
  ): Promise<void>;
  /** Notes that a newer commit had the version as well. */
  seen(
    tx: Knex.Transaction,
    version: Pick<ApiDocumentVersion, 'api' | 'version'>,
    by: StoredDocument['seen'],
  ): Promise<void>;
}
