import type {
  AuditorService,
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { InputError, NotAllowedError, NotFoundError } from '@backstage/errors';
import {
  AuthorizeResult,
  type BasicPermission,
} from '@backstage/plugin-permission-common';
import {
  ciRegistryAuditPermission,
  ciRegistryBindingForgetPermission,
  type IdentityDecisionPage,
} from '@rocket/plugin-ci-registry-common';
import type express from 'express';
import Router from 'express-promise-router';
import { z } from 'zod';
import type { IdentityStore } from './IdentityStore';

const MAX_PAGE = 500;

const time = z.iso
  .datetime({
    offset: true,
    error:
      'must be an ISO 8601 date and time, for example 2026-11-20T08:15:00Z',
  })
  .transform(text => Date.parse(text));

const querySchema = z.strictObject({
  allowed: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .transform(text => text === 'true')
    .optional(),
  code: z
    .string()
    .regex(/^[a-z-]{1,64}$/, 'must be a code, for example wrong-audience')
    .optional(),
  repository: z.string().min(1).max(500).optional(),
  subject: z.string().min(1).max(1000).optional(),
  since: time.optional(),
  until: time.optional(),
  limit: z.coerce
    .number({ error: 'must be a number' })
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(MAX_PAGE, `must be at most ${MAX_PAGE}`)
    .default(100),
  cursor: z
    .string()
    .transform((text, context) => {
      const match = Buffer.from(text, 'base64url')
        .toString('utf8')
        .match(/^(\d{1,16})\.([0-9a-f-]{36})$/);
      if (!match) {
        context.addIssue({
          code: 'custom',
          message: 'must be a nextCursor of an earlier answer',
        });
        return z.NEVER;
      }
      return { time: Number(match[1]), id: match[2] };
    })
    .optional(),
});

const bindingSchema = z.strictObject({ name: z.string().min(1).max(500) });

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new InputError(
      result.error.issues
        .map(issue => `${issue.path.join('.') || 'query'}: ${issue.message}`)
        .join('; '),
    );
  }
  return result.data;
}

/** `GET /decisions` and `DELETE /bindings`, for Backstage's own users and services. */
export function createDecisionsRouter(options: {
  store: IdentityStore;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  auditor: AuditorService;
}): express.Router {
  const { store, httpAuth, permissions, auditor } = options;
  const router = Router();

  async function authorize(req: express.Request, permission: BasicPermission) {
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const [decision] = await permissions.authorize([{ permission }], {
      credentials,
    });
    if (decision.result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(`You need the permission ${permission.name}`);
    }
  }

  router.get('/decisions', async (req, res) => {
    await authorize(req, ciRegistryAuditPermission);
    const { limit, cursor, ...filter } = parse(querySchema, req.query);
    const items = await store.listDecisions({
      filter,
      after: cursor,
      limit: limit + 1,
    });
    const page: IdentityDecisionPage = { items: items.slice(0, limit) };
    if (items.length > limit) {
      const last = page.items[limit - 1];
      page.nextCursor = Buffer.from(
        `${Date.parse(last.time)}.${last.id}`,
      ).toString('base64url');
    }
    res.json(page);
  });

  router.delete('/bindings', async (req, res) => {
    await authorize(req, ciRegistryBindingForgetPermission);
    const { name } = parse(bindingSchema, req.query);
    const event = await auditor.createEvent({
      eventId: 'binding-forget',
      severityLevel: 'high',
      request: req,
      meta: { name },
    });
    try {
      if (!(await store.forgetBinding(name.toLowerCase()))) {
        throw new NotFoundError(
          `name: no repository or owner ${name} is bound; it is the URL without .git`,
        );
      }
      await event.success();
    } catch (error) {
      await event.fail({ error: error as Error });
      throw error;
    }
    res.status(204).end();
  });

  return router;
}
