/** Who pushes, as the registry made sure of it. */
export interface PusherIdentity {
  type: 'github' | 'gitlab' | 'oidc' | 'static' | 'user' | 'service';
  /** Subject of the token, user entity ref, or `plugin:<id>`. */
  subject: string;
  /** Issuer of the token. */
  issuer?: string;
  /** The repository the token was made for, normalized. */
  repository?: string;
  branch?: string;
  commit?: string;
  /** The pipeline run the token was made for. */
  pipeline?: string;
  /** The deployment environment the job runs in, by the token's own claim. */
  environment?: string;
  /** True when the branch or tag is protected by the Git host; left out when the token does not say. */
  protectedRef?: boolean;
}

/** One decision on a call of a pipeline; kept for the audit. */
export interface IdentityDecision {
  id: string;
  /** ISO 8601. */
  time: string;
  allowed: boolean;
  /** Short and stable, for example `wrong-audience`; `allowed` when it was. */
  code: string;
  /** For people. */
  reason: string;
  identity: Partial<PusherIdentity>;
  /** The rule that allowed it. */
  rule?: string;
  /** What was asked for: counts and refs, no content. */
  request: {
    method: string;
    path: string;
    repository?: string;
    /** At most 100; `entityCount` says how many there were. */
    entityRefs?: string[];
    entityCount?: number;
    environments?: string[];
  };
}

/** Answer of `GET /decisions`, the newest first. */
export interface IdentityDecisionPage {
  items: IdentityDecision[];
  nextCursor?: string;
}
