import { once } from 'node:events';
import type {
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { InputError, NotFoundError } from '@backstage/errors';
import {
  ciRegistryReadPermission,
  type EntityHistoryPage,
} from '@rocket/plugin-ci-registry-common';
import type express from 'express';
import Router from 'express-promise-router';
import { z } from 'zod';
import type { EntityHistory } from '../database/history';
import { createAuthorizer, entityRefOf, limitSchema, parse } from './http';

const pageSchema = z.object({
  limit: limitSchema(50),
  cursor: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'must be a nextCursor of an earlier answer')
    .transform(Number)
    .optional(),
});

const PATH = '/history/:kind/:namespace/:name';

/** The changes of an entity, and the entity as it was. */
export function createHistoryRouter(options: {
  history: EntityHistory;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
}): express.Router {
  const { history } = options;
  const authorize = createAuthorizer(options);
  const router = Router();

  router.get(PATH, async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const entityRef = entityRefOf(req);
    const { limit, cursor } = parse(pageSchema, req.query);
    const items = await history.list(entityRef, {
      before: cursor,
      limit: limit + 1,
    });
    if (!items.length && cursor === undefined) {
      throw new NotFoundError(`${entityRef} was never pushed`);
    }
    const page: EntityHistoryPage = { items: items.slice(0, limit) };
    if (items.length > limit) {
      page.nextCursor = String(page.items[limit - 1].version);
    }
    res.json(page);
  });

  router.get(`${PATH}/export`, async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const entityRef = entityRefOf(req);
    let started = false;
    for await (const change of history.all(entityRef)) {
      if (!started) {
        started = true;
        res.setHeader('Content-Type', 'application/x-ndjson');
      }
      if (res.destroyed) return;
      if (!res.write(`${JSON.stringify(change)}\n`)) {
        await Promise.race([once(res, 'drain'), once(res, 'close')]);
      }
    }
    if (!started) {
      throw new NotFoundError(`${entityRef} was never pushed`);
    }
    res.end();
  });

  router.get(`${PATH}/:version`, async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const entityRef = entityRefOf(req);
    const { version } = req.params;
    if (!/^[1-9]\d{0,8}$/.test(version)) {
      throw new InputError('version: must be a whole number of at least 1');
    }
    const found = await history.replay(entityRef, Number(version));
    if (!found) {
      throw new NotFoundError(
        `There is no version ${version} of ${entityRef}, or it is older than what is kept`,
      );
    }
    res.json(found);
  });

  return router;
}
