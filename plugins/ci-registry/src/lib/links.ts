import { useApiHolder } from '@backstage/frontend-plugin-api';
import { scmIntegrationsApiRef } from '@backstage/integration-react';

/** The address when it can be followed safely. What a pipeline says may be any text, also `javascript:`. */
export function safeHref(text: string | undefined): string | undefined {
  if (!text || !/^https?:\/\//i.test(text)) {
    return undefined;
  }
  try {
    return new URL(text).href;
  } catch {
    return undefined;
  }
}

/** A commit as people write it. */
export function shortSha(sha: string): string {
  return sha.slice(0, 8);
}

/** A digest as people compare it: the algorithm and twelve digits. */
export function shortDigest(digest: string): string {
  return digest.replace(/^(sha256:)?([0-9a-f]{12})[0-9a-f]*$/, '$1$2…');
}

const COMMIT_PATHS: Record<string, string> = {
  gitlab: '/-/commit/',
  bitbucketCloud: '/commits/',
  bitbucketServer: '/commits/',
};

/**
 * Page of a commit at its Git host; undefined where the repository is no web
 * address. `hostType` is the type of the portal's integration for that host.
 */
export function commitHref(
  repository: string,
  sha: string,
  hostType?: string,
): string | undefined {
  const base = safeHref(repository);
  if (!base) {
    return undefined;
  }
  const host = new URL(base).hostname;
  const guessed = /(^|\.)gitlab\./.test(host) ? 'gitlab' : '';
  const path = COMMIT_PATHS[hostType ?? guessed] ?? '/commit/';
  return `${base.replace(/\/+$/, '')}${path}${encodeURIComponent(sha)}`;
}

/** {@link commitHref} with what the portal knows of the Git hosts. */
export function useCommitHref() {
  const integrations = useApiHolder().get(scmIntegrationsApiRef);
  return (repository: string, sha: string) =>
    commitHref(
      repository,
      sha,
      safeHref(repository) && integrations?.byUrl(repository)?.type,
    );
}
