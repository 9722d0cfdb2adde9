import type {
  AuditorService,
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
  NotFoundError,
  ServiceUnavailableError,
} from '@backstage/errors';
import {
  AuthorizeResult,
  type BasicPermission,
} from '@backstage/plugin-permission-common';
import {
  ciRegistryReadPermission,
  ciRegistryRegisterPermission,
  registerRequestSchema,
} from '@rocket/plugin-ci-registry-common';
import express from 'express';
import Router from 'express-promise-router';
import { z } from 'zod';
import type { CiRegistry } from './CiRegistry';

const MAX_PAGE = 500;
const RETRY_AFTER_SECONDS = 5;

const limitSchema = (fallback: number) =>
  z.coerce
    .number({ error: 'must be a number' })
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(MAX_PAGE, `must be at most ${MAX_PAGE}`)
    .default(fallback);

const listQuerySchema = z.object({
  limit: limitSchema(100),
  cursor: z
    .string()
    .max(1000)
    .regex(/^[A-Za-z0-9_-]+$/, 'must be a nextCursor of an earlier answer')
    .optional(),
  repository: z.string().min(1).max(500).optional(),
});

const claimSchema = z.object({ limit: limitSchema(200) });

const acknowledgeSchema = z.object({
  claimId: z.uuid('must be the claimId that was handed out'),
  changes: z
    .array(
      z.object({
        entityRef: z.string().min(1).max(512),
        version: z.number().int().min(1),
      }),
    )
    .max(MAX_PAGE),
});

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new InputError(
      result.error.issues
        .slice(0, 10)
        .map(issue => `${issue.path.join('.') || 'body'}: ${issue.message}`)
        .join('; '),
    );
  }
  return result.data;
}

/** Connection-level failures: the request was fine and can be sent again. */
function isDatabaseAway(error: unknown): boolean {
  const { code, name } = (error ?? {}) as { code?: string; name?: string };
  return (
    name === 'KnexTimeoutError' ||
    /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|57P0[123]|08...|53300|SQLITE_BUSY|SQLITE_FULL|SQLITE_IOERR.*)$/.test(
      code ?? '',
    )
  );
}

/** Routes of the registry; `src/schema/openapi.yaml` describes them. */
export async function createRouter(options: {
  registry: CiRegistry;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  auditor: AuditorService;
  maxBodyBytes: number;
  openapi: object;
}): Promise<express.Router> {
  const { registry, httpAuth, permissions, auditor } = options;
  const router = Router();

  async function authorize(
    req: express.Request,
    permission: BasicPermission,
  ): Promise<
    BackstageCredentials<BackstageUserPrincipal | BackstageServicePrincipal>
  > {
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const [decision] = await permissions.authorize([{ permission }], {
      credentials,
    });
    if (decision.result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(`You need the permission ${permission.name}`);
    }
    return credentials;
  }

  /** What the catalog has taken over only the catalog can say. */
  async function requireCatalog(req: express.Request): Promise<void> {
    const { principal } = await httpAuth.credentials(req, {
      allow: ['service'],
    });
    if (principal.subject !== 'plugin:catalog') {
      throw new NotAllowedError('Only the catalog takes changes');
    }
  }

  router.get('/openapi.json', async (req, res) => {
    await httpAuth.credentials(req, { allow: ['user', 'service'] });
    res.json(options.openapi);
  });

  // Before the body is read: an unknown caller cannot make the server parse megabytes.
  router.post('/entities', async (req, _res, next) => {
    await authorize(req, ciRegistryRegisterPermission);
    next();
  });
  router.use(express.json({ limit: options.maxBodyBytes }));

  router.post('/entities', async (req, res) => {
    const { principal } = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const event = await auditor.createEvent({
      eventId: 'entity-register',
      severityLevel: 'medium',
      request: req,
    });
    try {
      const request = parse(registerRequestSchema, req.body);
      const answer = await registry.register(
        request,
        principal.type === 'user' ? principal.userEntityRef : principal.subject,
      );
      await event.success({
        meta: { source: request.source, results: answer.results },
      });
      res.json(answer);
    } catch (error) {
      await event.fail({ error: error as Error });
      throw error;
    }
  });

  router.get('/entities', async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    res.json(await registry.list(parse(listQuerySchema, req.query)));
  });

  router.get('/entities/:kind/:namespace/:name', async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const { kind, namespace, name } = req.params;
    let entityRef: string;
    try {
      entityRef = stringifyEntityRef(
        parseEntityRef(`${kind}:${namespace}/${name}`),
      );
    } catch {
      throw new InputError(
        `${kind}:${namespace}/${name} is not an entity reference`,
      );
    }
    const found = await registry.get(entityRef);
    if (!found) {
      throw new NotFoundError(`${entityRef} was never pushed`);
    }
    res.json(found);
  });

  router.post('/changes/claim', async (req, res) => {
    await requireCatalog(req);
    res.json(await registry.claim(parse(claimSchema, req.body).limit));
  });

  router.post('/changes/acknowledge', async (req, res) => {
    await requireCatalog(req);
    await registry.acknowledge(parse(acknowledgeSchema, req.body));
    res.status(204).end();
  });

  router.post('/changes/repeat', async (req, res) => {
    await requireCatalog(req);
    res.json({ queued: await registry.repeatAll() });
  });

  router.use(
    (
      error: unknown,
      _req: express.Request,
      res: express.Response,
      next: express.NextFunction,
    ) => {
      let failure = error;
      if (isDatabaseAway(error)) {
        failure = new ServiceUnavailableError(
          'The database of the CI registry does not answer; push again in a moment',
        );
      }
      if ((failure as Error)?.name === 'ServiceUnavailableError') {
        res.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
      }
      next(failure);
    },
  );

  return router;
}
