import type { IdentityDecision } from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';

/** A name at a Git host and the id that it stands for. */
export interface Binding {
  issuer: string;
  kind: 'repository' | 'owner';
  name: string;
  id: string;
}

/** A run or job that ended, or whose newest attempt is known. Times in ms since 1970. */
export interface RunState {
  id: string;
  attempt: number;
  endedAt?: number;
  /** SHA-256 of the token and of the push that ended it. */
  endedBy?: string;
  pushHash?: string;
  expiresAt: number;
}

export interface TokenUse {
  /** SHA-256 of issuer and token id. */
  id: string;
  /** SHA-256 of the token. */
  hash: string;
  expiresAt: number;
}

/** What there is to note of one caller. */
export interface ToNote {
  token?: TokenUse;
  bindings: Binding[];
  runs: RunState[];
  /** ms since 1970. */
  now: number;
}

/** What is known of a caller and of what the call names. */
export interface Known {
  /** Hash of the token that first came with this token id. */
  tokenHash?: string;
  runs: RunState[];
  /** Ids of the bindings asked for, in their order. */
  bound: (string | undefined)[];
  /** Repository that registered the entity, by entity ref. */
  holders: Map<string, string>;
}

export interface DecisionFilter {
  allowed?: boolean;
  code?: string;
  repository?: string;
  subject?: string;
  /** ms since 1970. */
  since?: number;
  until?: number;
}

export interface IdentityStore {
  /** `known` is false for callers of whom nobody is sure. */
  addDecisions(
    decisions: IdentityDecision[],
    known: boolean,
    tx?: Knex.Transaction,
  ): Promise<void>;
  /** The newest first, from the one after `after`. */
  listDecisions(options: {
    filter: DecisionFilter;
    after?: { time: number; id: string };
    limit: number;
  }): Promise<IdentityDecision[]>;
  lookUp(wanted: {
    token?: string;
    runs: string[];
    bindings: Binding[];
    entityRefs: string[];
  }): Promise<Known>;
  /** Notes tokens, names and runs, no run twice. Answers the bindings of which another id was there first. */
  note(seen: ToNote[], tx?: Knex.Transaction): Promise<Binding[]>;
  /** Answers how many bindings of this name there were. */
  forgetBinding(name: string): Promise<number>;
  /** Drops decisions older than `before`, unknown callers' beyond `maxUnknown`, and tokens and runs that are over. */
  prune(options: {
    now: number;
    before: number;
    maxUnknown: number;
  }): Promise<void>;
}
