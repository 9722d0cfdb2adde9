import type {
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { NotAllowedError, NotFoundError } from '@backstage/errors';
import { ciRegistryReadPermission } from '@rocket/plugin-ci-registry-common';
import type express from 'express';
import Router from 'express-promise-router';
import { z } from 'zod';
import type { CiRegistry } from './CiRegistry';
import {
  MAX_PAGE,
  createAuthorizer,
  entityRefOf,
  errorHandler,
  limitSchema,
  parse,
} from './http';
import { readJson } from './pushRouter';

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

/** A claim of `MAX_PAGE` entities with long names. */
const MAX_ACKNOWLEDGE_BYTES = 1024 * 1024;

/** Routes of the registry; `src/schema/*.yaml` describe them. */
export async function createRouter(options: {
  registry: CiRegistry;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  openapi: object;
  /** Routes of the other parts, in front of the common error handling. */
  parts: express.Router[];
}): Promise<express.Router> {
  const { registry, httpAuth } = options;
  const authorize = createAuthorizer(options);
  const router = Router();

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

  for (const part of options.parts) {
    router.use(part);
  }

  router.get('/entities', async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    res.json(await registry.list(parse(listQuerySchema, req.query)));
  });

  router.get('/entities/:kind/:namespace/:name', async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const entityRef = entityRefOf(req);
    const found = await registry.get(entityRef);
    if (!found) {
      throw new NotFoundError(`${entityRef} was never pushed`);
    }
    res.json(found);
  });

  const fromCatalog: express.RequestHandler[] = [
    async (req, _res, next) => {
      await requireCatalog(req);
      next();
    },
    readJson(MAX_ACKNOWLEDGE_BYTES),
  ];

  router.post('/changes/claim', ...fromCatalog, async (req, res) => {
    res.json(await registry.claim(parse(claimSchema, req.body).limit));
  });

  router.post('/changes/acknowledge', ...fromCatalog, async (req, res) => {
    await registry.acknowledge(parse(acknowledgeSchema, req.body));
    res.status(204).end();
  });

  router.post('/changes/repeat', ...fromCatalog, async (_req, res) => {
    res.json({ queued: await registry.repeatAll() });
  });

  router.use(errorHandler);

  return router;
}
