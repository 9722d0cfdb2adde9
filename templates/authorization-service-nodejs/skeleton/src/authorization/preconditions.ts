import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { invalid, ProblemError } from '../platform/problems.ts';

/** Versions as strong ETags (RFC 9110): a PUT says which version it replaces, so that no writer overwrites another unseen. */

const Client = { 'X-Client-Id': Type.Optional(Type.String({ description: 'Set by the gateway' })) };

/** Headers of a PUT, for the document. */
export const ConditionalHeaders = Type.Object({
  'If-Match': Type.String({ description: 'ETag of the version that is replaced, or * for whatever is there' }),
  ...Client,
});

/** Headers of a PUT that may create. */
export const CreateOrReplaceHeaders = Type.Object({
  'If-Match': Type.Optional(
    Type.String({ description: 'ETag of the version that is replaced, or * for whatever is there' }),
  ),
  'If-None-Match': Type.Optional(Type.String({ description: '*: there must be none yet' })),
  ...Client,
});

/** `version`: that one must be there. `any`: some version must be there. `none`: nothing may be there. */
export type Precondition = { expect: 'version'; version: number } | { expect: 'any' } | { expect: 'none' };

const ETAG = /^"([0-9]{1,9})"$/;
/** Any entity tag, weak ones included (RFC 9110, section 8.8.3). */
const ENTITY_TAG = /^(W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

/** Runs before the body is read: a PUT without a precondition is answered 428. */
export async function requirePrecondition(request: FastifyRequest): Promise<void> {
  preconditionOf(request);
}

/** Throws precondition-required without a header, precondition-failed for a tag that no version here has, validation-failed for no tag at all. */
export function preconditionOf(request: FastifyRequest): Precondition {
  const match = request.headers['if-match'];
  const none = request.headers['if-none-match'];
  if (match === undefined && none === undefined) {
    throw new ProblemError('precondition-required', 'Send If-Match with the ETag of the version that you replace.', {
      errors: [{ pointer: '#/header/If-Match', code: 'required', message: 'is missing' }],
    });
  }
  if (match !== undefined && none !== undefined) {
    throw invalid('#/header/If-None-Match', 'exclusive', 'cannot be combined with If-Match');
  }
  if (none !== undefined) {
    if (none !== '*') throw invalid('#/header/If-None-Match', 'pattern', 'must be *');
    return { expect: 'none' };
  }
  if (match === '*') return { expect: 'any' };
  const found = ETAG.exec(String(match));
  if (found === null && ENTITY_TAG.test(String(match)))
    throw new ProblemError('precondition-failed', 'If-Match is the ETag of no version of this resource.');
  if (found === null)
    throw invalid('#/header/If-Match', 'pattern', 'must be an ETag of this service, such as "3", or *');
  return { expect: 'version', version: Number(found[1]) };
}

/** The version that a statement should expect: NULL for any, 0 for none. */
export function expectedVersion(precondition: Precondition): number | null {
  if (precondition.expect === 'any') return null;
  return precondition.expect === 'none' ? 0 : precondition.version;
}

/** Answers with the version as ETag. */
export function withEtag<T extends { version: number }>(reply: FastifyReply, body: T): T {
  reply.header('etag', `"${body.version}"`).header('cache-control', 'private, no-cache');
  return body;
}
