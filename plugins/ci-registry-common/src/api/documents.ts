export type ApiFormat = 'openapi' | 'asyncapi' | 'graphql' | 'grpc';

/** An API document; it appears as an API entity with rendered docs. */
export interface ApiDocumentReport {
  /** Entity ref of the API; the registry makes the entity when the push does not hold it. */
  api: string;
  /** Entity ref of the component that provides it. */
  component: string;
  format: ApiFormat;
  /** The whole document: YAML, JSON or the language's own text. */
  definition: string;
}

export type ChangeSeverity = 'breaking' | 'warning' | 'compatible';

/** One difference between two versions of an API document. */
export interface ApiChange {
  severity: ChangeSeverity;
  /** Where, for example `POST /v1/transactions › 201 › body › amount`. */
  location: string;
  message: string;
}

/** One version of an API document. */
export interface ApiDocumentVersion {
  api: string;
  /** Counts from 1. */
  version: number;
  format: ApiFormat;
  /** SHA-256 of the definition, hexadecimal. */
  hash: string;
  commit: string;
  pipeline?: string;
  pushedAt: string;
  /** Compared with the version before; null for the first one and for formats that cannot be compared. */
  changes: ApiChange[] | null;
  /** Why there is no comparison. */
  notCompared?: string;
}

/** Answer of `GET /documents/:namespace/:name/versions`, the newest first. */
export interface ApiDocumentVersionsResponse {
  items: ApiDocumentVersion[];
}
