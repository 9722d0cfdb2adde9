import type {
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import {
  ciRegistryReadPermission,
  entityRefSchema,
  type FreshnessPage,
  type FreshnessState,
} from '@rocket/plugin-ci-registry-common';
import type express from 'express';
import Router from 'express-promise-router';
import { z } from 'zod';
import {
  STATES_BY_SEVERITY,
  type FreshnessStore,
} from '../../database/freshness/FreshnessStore';
import { pageQuery, parseQuery } from '../delivery/router';
import { createAuthorizer } from '../http';
import type { FreshnessService } from './FreshnessService';

/** A parameter that may be given several times. */
const several = <T extends z.ZodType>(schema: T) =>
  z.preprocess(
    value => (value === undefined ? undefined : [value].flat()),
    z.array(schema).min(1).max(50).optional(),
  );

const querySchema = z.strictObject({
  ...pageQuery,
  owner: several(entityRefSchema('group')),
  state: several(
    z.enum(STATES_BY_SEVERITY as [FreshnessState], {
      error: `must be one of ${STATES_BY_SEVERITY.join(', ')}`,
    }),
  ),
  entityRef: entityRefSchema('component').optional(),
});

const toCursor = (severity: number, entityRef: string) =>
  Buffer.from(`${severity} ${entityRef}`).toString('base64url');

function fromCursor(cursor: string | undefined) {
  if (cursor === undefined) {
    return undefined;
  }
  const match = /^(\d) (.+)$/s.exec(
    Buffer.from(cursor, 'base64url').toString('utf8'),
  );
  if (!match) {
    throw new InputError('cursor: must be a nextCursor of an earlier answer');
  }
  return { severity: Number(match[1]), entityRef: match[2] };
}

/** `GET /freshness`; `src/schema/freshness.yaml` describes it. */
export function createFreshnessRouter(options: {
  service: FreshnessService;
  store: FreshnessStore;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
}): express.Router {
  const { service, store } = options;
  const authorize = createAuthorizer(options);
  const router = Router();

  router.get('/freshness', async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const { owner, state, entityRef, limit, cursor } = parseQuery(
      querySchema,
      req.query,
    );
    if (entityRef !== undefined) {
      const found = await service.one(entityRef);
      const matches =
        found &&
        (!owner || owner.includes(found.owner ?? '')) &&
        (!state || state.includes(found.state));
      const counts = Object.fromEntries(
        STATES_BY_SEVERITY.map(one => [one, Number(found?.state === one)]),
      ) as FreshnessPage['counts'];
      const body: FreshnessPage = { items: matches ? [found] : [], counts };
      res.json(body);
      return;
    }
    const [rows, counts] = await Promise.all([
      store.list({
        owners: owner,
        states: state,
        after: fromCursor(cursor),
        limit: limit + 1,
      }),
      store.counts({ owners: owner }),
    ]);
    const items = rows.slice(0, limit).map(row => row.freshness);
    const last = items[items.length - 1];
    const body: FreshnessPage = {
      items,
      counts,
      nextCursor:
        rows.length > limit
          ? toCursor(STATES_BY_SEVERITY.indexOf(last.state), last.entityRef)
          : undefined,
    };
    res.json(body);
  });

  return router;
}
