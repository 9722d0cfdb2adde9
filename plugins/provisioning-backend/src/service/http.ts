import type {
  AuditorService,
  BackstageCredentials,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import { parseEntityRef } from '@backstage/catalog-model';
import { InputError } from '@backstage/errors';
import type { BasicPermission } from '@backstage/plugin-permission-common';
import type { Request } from 'express';
import { z } from 'zod';
import type { Access } from './Access';
import { assertServiceName } from './names';

export const serviceName = z.string().transform((value, context) => {
  try {
    return assertServiceName(value, '');
  } catch (error) {
    context.addIssue((error as Error).message.replace(/^: /, ''));
    return z.NEVER;
  }
});

/** Entity ref in full. */
export const entityRef = z
  .string()
  .max(200)
  .refine(value => {
    try {
      parseEntityRef(value);
      return /^[a-zA-Z]+:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/.test(value);
    } catch {
      return false;
    }
  }, 'must be a full entity ref: kind:namespace/name');

/** Text that ends up in an environment variable and in lists. */
export const plainText = (max: number) =>
  z
    .string()
    .max(max)
    .refine(
      // eslint-disable-next-line no-control-regex
      value => !/[\u0000-\u001f\u007f]/.test(value),
      'must be one line without control characters',
    );

/** @throws InputError that names each field. */
export function parse<T extends z.ZodType>(
  schema: T,
  value: unknown,
): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InputError(
    result.error.issues
      .map(issue => `${issue.path.join('.') || 'body'}: ${issue.message}`)
      .join('; '),
  );
}

/** What every route does first, and around what it changes. */
export class RouteGuard {
  readonly #httpAuth: HttpAuthService;
  readonly #auditor: AuditorService;
  readonly #access: Access;

  constructor(deps: {
    httpAuth: HttpAuthService;
    auditor: AuditorService;
    access: Access;
  }) {
    this.#httpAuth = deps.httpAuth;
    this.#auditor = deps.auditor;
    this.#access = deps.access;
  }

  async authorize(
    req: Request,
    permission: BasicPermission,
  ): Promise<BackstageCredentials> {
    const credentials = await this.#httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    await this.#access.authorize(credentials, permission);
    return credentials;
  }

  /** Records the attempt and how it ended; also when it is refused. */
  async audited<T>(
    req: Request,
    eventId: string,
    severityLevel: 'low' | 'medium' | 'high',
    meta: Record<string, string | undefined>,
    act: () => Promise<T>,
  ): Promise<T> {
    const event = await this.#auditor.createEvent({
      eventId,
      severityLevel,
      request: req,
      meta: JSON.parse(JSON.stringify(meta)),
    });
    try {
      const result = await act();
      await event.success();
      return result;
    } catch (error) {
      await event.fail({ error: error as Error });
      throw error;
    }
  }
}
