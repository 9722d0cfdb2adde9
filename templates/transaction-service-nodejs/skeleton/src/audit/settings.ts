import type { EnvironmentReader } from '../platform/config.ts';

/** Where the head of the chain is published. */
export type AnchorSettings =
  | { kind: 'none' }
  | { kind: 'file'; path: string }
  | {
      kind: 'http';
      /** Base address of the partner. */
      url: string;
      /** A file with the bearer token for the partner, and one with the key that what is sent is signed with; read each time. */
      tokenFile?: string | undefined;
      secretFile?: string | undefined;
      /** Milliseconds for one answer. */
      timeout: number;
      /** Requests that one run sends at most. */
      attempts: number;
    };

export type AuditSettings = {
  /** Milliseconds between two looks for transactions to seal. */
  sealInterval: number;
  /** Transactions in a block. */
  blockLimit: number;
  anchor: AnchorSettings;
  /** Milliseconds between two publications of the head. */
  anchorInterval: number;
  /** Older blocks that each reconciliation verifies again, one after the other through the whole chain. */
  recheckBlocks: number;
};

function readAnchor(env: EnvironmentReader): AnchorSettings {
  const kind = env.oneOf('AUDIT_ANCHOR', 'none', ['none', 'file', 'http']);
  if (kind === 'file')
    return { kind, path: env.matching('AUDIT_ANCHOR_FILE', /./, 'a file when AUDIT_ANCHOR is file') };
  if (kind !== 'http') return { kind: 'none' };
  const tokenFile = env.optional('AUDIT_ANCHOR_TOKEN_FILE');
  const secretFile = env.optional('AUDIT_ANCHOR_SECRET_FILE');
  if (tokenFile === undefined && secretFile === undefined) {
    env.wrong.push('AUDIT_ANCHOR_TOKEN_FILE or AUDIT_ANCHOR_SECRET_FILE must be set when AUDIT_ANCHOR is http');
  }
  return {
    kind,
    url: env.matching('AUDIT_ANCHOR_URL', /^https?:\/\/./, 'the URL of the partner when AUDIT_ANCHOR is http'),
    tokenFile,
    secretFile,
    timeout: env.integer('AUDIT_ANCHOR_TIMEOUT_MS', 5_000, 100, 60_000),
    attempts: env.integer('AUDIT_ANCHOR_ATTEMPTS', 3, 1, 10),
  };
}

export function readAuditSettings(env: EnvironmentReader): AuditSettings {
  return {
    sealInterval: env.integer('AUDIT_SEAL_INTERVAL_MS', 1_000, 50, 60_000),
    blockLimit: env.integer('AUDIT_BLOCK_LIMIT', 1_000, 1, 10_000),
    anchor: readAnchor(env),
    anchorInterval: env.integer('AUDIT_ANCHOR_INTERVAL_MS', 60_000, 50, 24 * 3_600_000),
    recheckBlocks: env.integer('AUDIT_RECHECK_BLOCKS', 1_000, 0, 1_000_000),
  };
}
