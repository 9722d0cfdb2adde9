import type { JsonValue } from '@backstage/types';
import type { PushRequest } from '@rocket/plugin-ci-registry-common';
import { canonicalJson } from '../canonical';
import type { TokenFacts } from './claims';
import type { Binding, Known, RunState, ToNote } from './IdentityStore';
import { NotAuthenticated, NotPermitted, quote, type Refusal } from './refusal';
import { sha256, type VerifiedToken } from './TokenVerifier';

/** Runs are remembered this much longer than their tokens can live. */
const MARGIN_MS = 60 * 60_000;

/** A token and what earlier calls said of it, of its run and of its repository. */
export interface Seen extends Known {
  facts: TokenFacts;
  token?: VerifiedToken;
  /** Undefined for a call that stores nothing. */
  request?: PushRequest;
  bindings: Binding[];
  clockSkewMs: number;
}

/** The names that a token proves, with their ids. */
export function bindingsOf(facts: TokenFacts): Binding[] {
  const { issuer, repository } = facts.identity;
  if (!issuer || !repository) return [];
  const bindings: Binding[] = [];
  if (facts.repositoryId) {
    bindings.push({
      issuer,
      kind: 'repository',
      // Git hosts do not tell upper from lower case.
      name: repository.toLowerCase(),
      id: facts.repositoryId,
    });
  }
  if (facts.owner && facts.ownerId) {
    bindings.push({
      issuer,
      kind: 'owner',
      name: `${new URL(repository).origin}/${facts.owner}`.toLowerCase(),
      id: facts.ownerId,
    });
  }
  return bindings;
}

function recycled({ kind, name }: Binding): NotPermitted {
  return new NotPermitted(
    `${kind}-recycled`,
    `${quote(
      name,
    )} is not the ${kind} that pushed under this name before: the Git host gives another id. If that is right, an administrator forgets the earlier one with DELETE /bindings?name=…`,
  );
}

function runId(seen: Seen): string | undefined {
  const { run, identity } = seen.facts;
  return run === undefined
    ? undefined
    : sha256(['run', identity.issuer, identity.repository, run].join('\n'));
}

/** The job; where the token does not name it, the token alone. */
function jobId(seen: Seen): string {
  const { job, identity } = seen.facts;
  return sha256(
    job === undefined
      ? ['token', seen.token!.id].join('\n')
      : ['job', identity.issuer, identity.repository, job].join('\n'),
  );
}

/** Tells two pushes apart; the same push, repeated, is the same text. */
function pushHash(request: PushRequest): string {
  return sha256(canonicalJson(request as unknown as JsonValue));
}

/** Whether what is known speaks against this token. */
export function checkSeen(seen: Seen): Refusal | undefined {
  const token = seen.token!;
  if (seen.tokenHash !== undefined && seen.tokenHash !== token.hash) {
    return new NotAuthenticated(
      'token-reused',
      'Another token had the same id (jti); the issuer must give every token its own',
    );
  }
  const attempt = seen.facts.attempt ?? 1;
  if (seen.runs.some(run => run.id === runId(seen) && run.attempt > attempt)) {
    return new NotAuthenticated(
      'run-ended',
      'The run of this token was repeated since; only the newest attempt may push',
    );
  }
  const ended = seen.runs.find(
    ({ endedAt }) =>
      endedAt !== undefined && token.issuedAt <= endedAt + seen.clockSkewMs,
  );
  const repeated =
    ended?.endedBy === token.hash &&
    seen.request !== undefined &&
    ended.pushHash === pushHash(seen.request);
  if (ended && !repeated) {
    return new NotAuthenticated(
      'run-ended',
      'The pipeline said that the job or run of this token is over (final); a later job asks for a token of its own',
    );
  }
  const index = seen.bindings.findIndex(
    ({ id }, i) => seen.bound[i] !== undefined && seen.bound[i] !== id,
  );
  return index < 0 ? undefined : recycled(seen.bindings[index]);
}

/** What there is to note once a push is stored. */
export const toNote = {
  recycled,

  /** Runs and jobs that are to be looked up. */
  runIds(seen: Seen): string[] {
    return [runId(seen), jobId(seen)].filter(id => id !== undefined);
  },

  all(seen: Seen, now: number): ToNote {
    const token = seen.token!;
    const run = runId(seen);
    const attempt = seen.facts.attempt ?? 1;
    const expiresAt =
      now + token.settings.maxTokenAgeMs + seen.clockSkewMs + MARGIN_MS;
    const runs: RunState[] = [];
    const final = seen.request?.final;
    const known = seen.runs.find(({ id }) => id === run);
    if (final) {
      runs.push({
        id: (final === 'run' && run) || jobId(seen),
        attempt,
        endedAt: now,
        endedBy: token.hash,
        pushHash: pushHash(seen.request!),
        expiresAt,
      });
    } else if (run && attempt > (known?.attempt ?? 1)) {
      runs.push({ id: run, attempt, expiresAt });
    }
    return {
      token: {
        id: token.id,
        hash: token.hash,
        expiresAt: Math.min(token.expiresAt, expiresAt),
      },
      bindings: seen.bindings.filter((_, i) => seen.bound[i] === undefined),
      runs,
      now,
    };
  },
};
