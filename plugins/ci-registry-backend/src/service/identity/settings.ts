import type { Pattern } from './patterns';

/** Names of the claims of an issuer that is neither GitHub nor GitLab. */
export interface ClaimNames {
  /** Text with claims in braces that gives the URL of the repository. */
  repository: string;
  repositoryId?: string;
  ref?: string;
  branch?: string;
  tag?: string;
  commit?: string;
  environment?: string;
  protectedRef?: string;
  run?: string;
  job?: string;
  event?: string;
}

/** An issuer whose tokens are taken. */
export interface IssuerSettings {
  name: string;
  type: 'github' | 'gitlab' | 'oidc';
  /** As in the claim `iss`. */
  issuer: string;
  /** Where its repositories live, without a slash at the end; for `oidc` not used. */
  host: string;
  jwksUrl: string;
  audiences: string[];
  algorithms: string[];
  /** Since `iat`. */
  maxTokenAgeMs: number;
  /** For `oidc` only. */
  claims?: ClaimNames;
  /** Claims that tell of code from elsewhere: one match, and the token may not write. */
  refuse: ClaimCondition[];
}

/** Holds when the claim matches one of the patterns. */
export interface ClaimCondition {
  claim: string;
  patterns: Pattern[];
}

/** A secret of a CI system without tokens of its own. */
export interface StaticTokenSettings {
  name: string;
  /** SHA-256 of the token. */
  hash: Buffer;
  /** ms since 1970. */
  expiresAt: number;
  repositories: Pattern[];
}

/** Where a repository may say that it deployed to. */
export interface EnvironmentRule {
  name: Pattern;
  /** Empty: whatever the branch or tag is. */
  branches: Pattern[];
  tags: Pattern[];
  /** The Git host must say that the branch or tag is protected. */
  protectedRef: boolean;
  /** The token itself must name the environment. */
  claimed: boolean;
}

/** What those whom it covers may push. */
export interface IdentityRule {
  name: string;
  /** Names of issuers and static tokens. */
  from: string[];
  claims: ClaimCondition[];
  /** Empty: all. */
  repositories: Pattern[];
  /** Undefined: the usual ones of the Git host. */
  events?: string[];
  namespaces: Pattern[];
  /** Empty: all. */
  owners: Pattern[];
  /** In lower case; empty: all that the registry takes. */
  kinds: string[];
  environments: EnvironmentRule[];
  /** Builds, deployments and documents also of components that nobody registered here. */
  unregisteredComponents: boolean;
}

export interface IdentitySettings {
  issuers: IssuerSettings[];
  staticTokens: StaticTokenSettings[];
  rules: IdentityRule[];
  clockSkewMs: number;
  keys: { timeoutMs: number; maxAgeMs: number; cooldownMs: number };
  decisions: { retentionMs: number; maxUnknown: number };
}
