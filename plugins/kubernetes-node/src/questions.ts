import type { Caller } from './caller';
import type { AccessAnswer, AccessQuery, CallOptions } from './types';

/** What the caller's credentials may do, by a SelfSubjectAccessReview. */
export async function askAccess(
  caller: Caller,
  query: AccessQuery,
  options: CallOptions,
): Promise<AccessAnswer> {
  const [resource, subresource] = query.resource.split('/');
  const { body } = await caller.json<{
    status?: { allowed?: boolean; reason?: string };
  }>(
    {
      action: `say whether Rocket may ${query.verb} ${query.resource}`,
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: {
          resourceAttributes: {
            verb: query.verb,
            group: query.group ?? '',
            resource,
            subresource,
            namespace: query.namespace,
            name: query.name,
          },
        },
      },
      // A question: nothing is stored.
      idempotent: true,
    },
    options,
  );
  const { allowed, reason } = body.status ?? {};
  return { allowed: allowed === true, ...(reason ? { reason } : {}) };
}

export async function askVersion(
  caller: Caller,
  options: CallOptions,
): Promise<string> {
  const { body } = await caller.json<{ gitVersion?: string }>(
    {
      action: 'tell its version',
      method: 'GET',
      path: '/version',
      idempotent: true,
    },
    options,
  );
  return body.gitVersion ?? 'unknown';
}
