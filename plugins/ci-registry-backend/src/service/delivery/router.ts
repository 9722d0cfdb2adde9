import type {
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { InputError, NotFoundError } from '@backstage/errors';
import {
  ciRegistryReadPermission,
  commitSchema,
  entityRefSchema,
  type BuildPage,
  type DeploymentPage,
} from '@rocket/plugin-ci-registry-common';
import type express from 'express';
import Router from 'express-promise-router';
import { z } from 'zod';
import type {
  DeliveryStore,
  PagePosition,
} from '../../database/delivery/DeliveryStore';
import { createAuthorizer, limitSchema } from '../http';
import type { DoraService } from './DoraService';
import type { VersionService } from './VersionService';

/** Limits and cursor of a page. */
export const pageQuery = {
  limit: limitSchema(50),
  cursor: z
    .string()
    .max(2000)
    .regex(/^[A-Za-z0-9_-]+$/, 'must be a nextCursor of an earlier answer')
    .optional(),
};

const environment = z.string().min(1, 'must not be empty').max(63).optional();

const buildsQuery = z.strictObject({
  ...pageQuery,
  component: entityRefSchema('component').optional(),
  commit: commitSchema.optional(),
});

const deploymentsQuery = z.strictObject({
  ...pageQuery,
  component: entityRefSchema('component').optional(),
  environment,
});

const versionsQuery = z
  .strictObject({
    component: entityRefSchema('component').optional(),
    system: entityRefSchema('system').optional(),
  })
  .refine(({ component, system }) => !component !== !system, {
    path: ['component'],
    error: 'exactly one of component and system must be given',
  });

const KIND_OF = {
  component: 'component',
  team: 'group',
  path: 'criticalpath',
} as const;

const doraQuery = z
  .strictObject({
    by: z
      .enum(['component', 'team', 'path'], {
        error: 'must be component, team or path',
      })
      .default('component'),
    environment,
    days: z.coerce
      .number({ error: 'must be a number of days' })
      .int('must be a whole number of days')
      .min(1, 'must be at least 1')
      .max(180, 'must be at most 180')
      .default(28),
    ref: z.string().optional(),
  })
  .transform((query, ctx) => {
    if (query.ref === undefined) {
      return query;
    }
    const ref = entityRefSchema(KIND_OF[query.by]).safeParse(query.ref);
    if (!ref.success) {
      ctx.addIssue({
        code: 'custom',
        path: ['ref'],
        message: ref.error.issues[0].message,
      });
      return z.NEVER;
    }
    return { ...query, ref: ref.data };
  });

/** Parses a query; the error names each field. */
export function parseQuery<T>(schema: z.ZodType<T>, query: unknown): T {
  const result = schema.safeParse(query);
  if (!result.success) {
    throw new InputError(
      result.error.issues
        .slice(0, 10)
        .map(issue =>
          issue.code === 'unrecognized_keys'
            ? `${issue.keys.join(', ')}: there is no such parameter`
            : `${issue.path.join('.') || 'query'}: ${issue.message}`,
        )
        .join('; '),
    );
  }
  return result.data;
}

/** A position as an opaque text, and back. */
export function toCursor(position: PagePosition): string {
  return Buffer.from(JSON.stringify([position.time, ...position.ids])).toString(
    'base64url',
  );
}

function fromCursor(
  cursor: string | undefined,
  ids: number,
): PagePosition | undefined {
  if (cursor === undefined) {
    return undefined;
  }
  try {
    const [time, ...rest] = z
      .tuple([z.number()], z.string())
      .parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    if (rest.length === ids) {
      return { time, ids: rest };
    }
  } catch {
    // Falls through: it was not made here.
  }
  throw new InputError('cursor: must be a nextCursor of an earlier answer');
}

/** What was built and deployed, what runs, and the DORA metrics; `src/schema/openapi.yaml` describes it. */
export function createDeliveryRouter(options: {
  store: DeliveryStore;
  versions: VersionService;
  dora: DoraService;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
}): express.Router {
  const { store, versions, dora } = options;
  const authorize = createAuthorizer(options);
  const router = Router();

  router.get('/builds', async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const { cursor, ...query } = parseQuery(buildsQuery, req.query);
    const { items, next } = await store.listBuilds({
      ...query,
      after: fromCursor(cursor, 1),
    });
    const body: BuildPage = { items, nextCursor: next && toCursor(next) };
    res.json(body);
  });

  router.get('/builds/:id', async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const build = await store.getBuild(req.params.id);
    if (!build) {
      throw new NotFoundError(`There is no build ${req.params.id}`);
    }
    res.json(build);
  });

  router.get('/deployments', async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const { cursor, ...query } = parseQuery(deploymentsQuery, req.query);
    const { items, next } = await store.listDeployments({
      ...query,
      after: fromCursor(cursor, 2),
    });
    const body: DeploymentPage = { items, nextCursor: next && toCursor(next) };
    res.json(body);
  });

  router.get('/versions', async (req, res) => {
    const credentials = await authorize(req, ciRegistryReadPermission);
    const { component, system } = parseQuery(versionsQuery, req.query);
    res.json(
      component
        ? await versions.ofComponent(component)
        : await versions.ofSystem(system!, credentials),
    );
  });

  router.get('/dora', async (req, res) => {
    const credentials = await authorize(req, ciRegistryReadPermission);
    res.json(await dora.dora(parseQuery(doraQuery, req.query), credentials));
  });

  return router;
}
