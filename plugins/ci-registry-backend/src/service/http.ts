import type {
  BackstageCredentials,
  BackstageServicePrincipal,
  BackstageUserPrincipal,
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import {
  InputError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import {
  AuthorizeResult,
  type BasicPermission,
} from '@backstage/plugin-permission-common';
import type express from 'express';
import { z } from 'zod';
import { TooManyRequests } from './RateLimiter';

export const MAX_PAGE = 500;
const RETRY_AFTER_SECONDS = 5;
const MAX_ISSUES = 10;

export const limitSchema = (fallback: number) =>
  z.coerce
    .number({ error: 'must be a number' })
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(MAX_PAGE, `must be at most ${MAX_PAGE}`)
    .default(fallback);

/** `InputError` names the fields. */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new InputError(
      result.error.issues
        .slice(0, MAX_ISSUES)
        .map(issue => `${issue.path.join('.') || 'body'}: ${issue.message}`)
        .join('; '),
    );
  }
  return result.data;
}

/** The entity that the path names. */
export function entityRefOf(req: express.Request): string {
  const { kind, namespace, name } = req.params;
  try {
    return stringifyEntityRef(parseEntityRef(`${kind}:${namespace}/${name}`));
  } catch {
    throw new InputError(
      `${kind}:${namespace}/${name} is not an entity reference`,
    );
  }
}

/** Lets in users and services of Backstage who have the permission. */
export function createAuthorizer(options: {
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
}) {
  return async (
    req: express.Request,
    permission: BasicPermission,
  ): Promise<
    BackstageCredentials<BackstageUserPrincipal | BackstageServicePrincipal>
  > => {
    const credentials = await options.httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const [decision] = await options.permissions.authorize([{ permission }], {
      credentials,
    });
    if (decision.result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(`You need the permission ${permission.name}`);
    }
    return credentials;
  };
}

/** Connection-level failures: the request was fine and can be sent again. */
export function isDatabaseAway(error: unknown): boolean {
  const { code, name, message } = (error ?? {}) as {
    code?: string;
    name?: string;
    message?: string;
  };
  return (
    name === 'KnexTimeoutError' ||
    /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|57P0[123]|08...|53300|SQLITE_BUSY|SQLITE_FULL|SQLITE_IOERR.*)$/.test(
      code ?? '',
    ) ||
    // What the PostgreSQL client says of a connection that broke has no code; knex puts the statement before it.
    /(?:^| - )(?:Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|Unable to acquire a connection)[^$]*$/.test(
      message ?? '',
    )
  );
}

/** Gives errors the status and headers that tell the caller what to do. */
export const errorHandler: express.ErrorRequestHandler = (
  error,
  _req,
  res,
  next,
) => {
  let failure = error;
  if (isDatabaseAway(error)) {
    failure = new ServiceUnavailableError(
      'The database of the CI registry does not answer; nothing was stored, send it again in a moment',
    );
  } else if (error?.type === 'entity.verify.failed') {
    failure = new InputError(error.message);
  } else if (error instanceof TooManyRequests) {
    res.setHeader('Retry-After', String(error.retryAfter));
  }
  if (failure?.name === 'ServiceUnavailableError') {
    res.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
  }
  next(failure);
};
