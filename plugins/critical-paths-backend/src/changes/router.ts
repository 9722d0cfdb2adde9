import type {
  BackstageCredentials,
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { stringifyEntityRef } from '@backstage/catalog-model';
import { NotAllowedError, NotFoundError } from '@backstage/errors';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import {
  criticalPathsReadPermission,
  isEntityRef,
  type ServiceLevelsResponse,
} from '@rocket/plugin-critical-paths-common';
import type { IncidentsResponse } from '@rocket/plugin-critical-paths-node';
import express, { type Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { z } from 'zod';
import type { PathDirectory } from '../service/PathDirectory';
import { componentParams, parse, pathParams } from '../service/requests';
import type { ChangeStore, StoredServiceLevel } from './ChangeStore';
import { secondsToRecover } from './incidents';
import { compareServiceLevel } from './serviceLevels';
import type { SignalReader } from './SignalReader';

const time = z.iso.datetime({
  offset: true,
  error: 'must be a time in ISO 8601, for example 2026-11-01T10:00:00Z',
});
const text = (most: number) =>
  z
    .string({ error: `must be a text of 1 to ${most} characters` })
    .min(1, { error: `must be a text of 1 to ${most} characters` })
    .max(most, { error: `must be a text of 1 to ${most} characters` });
const ref = (kinds: string[]) =>
  z
    .string({ error: 'must be a full entity ref' })
    .refine(
      value =>
        isEntityRef(value) &&
        kinds.some(kind => value.toLowerCase().startsWith(`${kind}:`)) &&
        value.includes('/'),
      {
        error: `must be a full entity ref of kind ${kinds.join(
          ' or ',
        )}, for example ${kinds[0]}:default/ledger`,
      },
    )
    .transform(value => value.toLowerCase());

const changeBody = z
  .strictObject({
    source: z.string().regex(/^[a-z0-9-]{1,63}$/, {
      error: 'must be 1 to 63 lower-case letters, digits or dashes',
    }),
    id: text(255),
    kind: z.enum(['deployment', 'chaos'], {
      error: 'must be deployment or chaos',
    }),
    entityRef: ref(['component', 'criticalpath']),
    at: time,
    until: time.optional(),
    title: text(255),
    version: text(255).optional(),
    detail: text(1000).optional(),
    url: z
      .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
      .max(2000, { error: 'must be at most 2000 characters' })
      .optional(),
  })
  .refine(
    ({ at, until }) =>
      until === undefined || Date.parse(until) >= Date.parse(at),
    { error: "must not be before 'at'", path: ['until'] },
  );

const signalsBody = z.strictObject({
  pathRef: ref(['criticalpath']),
  componentRef: ref(['component']).optional(),
  from: time,
  to: time,
});

const MAX_DAYS = 400;
const incidentsBody = z
  .strictObject({
    entityRefs: z
      .array(ref(['component']), { error: 'must be a list of entity refs' })
      .max(2000, { error: 'must hold at most 2000' }),
    from: time,
    to: time,
  })
  .refine(
    ({ from, to }) => {
      const length = Date.parse(to) - Date.parse(from);
      return length > 0 && length <= MAX_DAYS * 86_400_000;
    },
    {
      error: `must be after 'from', by at most ${MAX_DAYS} days`,
      path: ['to'],
    },
  );

const seconds = (iso: string) => Math.floor(Date.parse(iso) / 1000);

/**
 * What other plugins ask (`CriticalPathsService` of critical-paths-node), and
 * the service levels of an application; `src/schema/openapi.yaml` describes it.
 */
export function createChangesRouter(options: {
  store: ChangeStore;
  signals: SignalReader;
  directory: PathDirectory;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  now?: () => number;
}): Router {
  const { store, signals, directory, httpAuth, permissions } = options;
  const now = options.now ?? Date.now;
  const router = PromiseRouter();
  const json = express.json({ limit: '20kb' });

  router.post('/service/changes', json, async (req, res) => {
    await httpAuth.credentials(req, { allow: ['service'] });
    const { at, until, id, ...change } = parse(
      changeBody,
      'field of the body',
      req.body,
    );
    await store.saveChanges(
      [
        {
          ...change,
          externalId: id,
          startTime: seconds(at),
          endTime: until === undefined ? undefined : seconds(until),
        },
      ],
      Math.floor(now() / 1000),
    );
    res.status(204).end();
  });

  router.post('/service/signals', json, async (req, res) => {
    await httpAuth.credentials(req, { allow: ['service'] });
    res.json(
      await signals.read(parse(signalsBody, 'field of the body', req.body)),
    );
  });

  const readable = async (
    req: express.Request,
  ): Promise<BackstageCredentials> => {
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const [decision] = await permissions.authorize(
      [{ permission: criticalPathsReadPermission }],
      { credentials },
    );
    if (decision.result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(
        `Permission ${criticalPathsReadPermission.name} is needed`,
      );
    }
    return credentials;
  };
  const answer = (levels: StoredServiceLevel[]): ServiceLevelsResponse => ({
    generatedAt: new Date(now()).toISOString(),
    rows: levels.map(compareServiceLevel),
  });

  router.post(
    '/service/incidents',
    express.json({ limit: '1mb' }),
    async (req, res) => {
      await httpAuth.credentials(req, { allow: ['service'] });
      const { entityRefs, from, to } = parse(
        incidentsBody,
        'field of the body',
        req.body,
      );
      const found = await store.listChanges({
        entityRefs,
        from: seconds(from),
        to: seconds(to),
        kinds: ['incident'],
      });
      const isoOf = (at: number) => new Date(at * 1000).toISOString();
      const body: IncidentsResponse = {
        incidents: found.map(change => ({
          entityRef: change.entityRef,
          title: change.title,
          openedAt: isoOf(change.startTime),
          closedAt: change.endTime === undefined ? null : isoOf(change.endTime),
          secondsToRecover: secondsToRecover(change) ?? null,
        })),
      };
      res.json(body);
    },
  );

  router.get(
    '/components/:kind/:namespace/:name/service-levels',
    async (req, res) => {
      const credentials = await readable(req);
      const entityRef = stringifyEntityRef(
        parse(componentParams, 'path parameter', req.params),
      );
      const visible = await directory.visibleEntities([entityRef], credentials);
      if (!visible.has(entityRef)) {
        throw new NotFoundError(`No ${entityRef} in the catalog`);
      }
      res.json(answer(await store.listServiceLevels([entityRef])));
    },
  );

  router.get('/paths/:namespace/:name/service-levels', async (req, res) => {
    const credentials = await readable(req);
    const pathRef = stringifyEntityRef({
      kind: 'criticalpath',
      ...parse(pathParams, 'path parameter', req.params),
    });
    const [{ paths }, visiblePaths] = await Promise.all([
      directory.model(),
      directory.visibleTo(credentials),
    ]);
    const path = paths.get(pathRef);
    if (!path || !visiblePaths.has(pathRef)) {
      throw new NotFoundError(`No critical path ${pathRef} in the catalog`);
    }
    const members = path.steps.flatMap(step => step.members);
    const visible = await directory.visibleEntities(
      [...new Set(members.map(member => member.entityRef))],
      credentials,
    );
    const labels = new Set(members.map(m => m.selection.criticalPath));
    // What is limited to another path of the same application says nothing here.
    res.json(
      answer(
        (await store.listServiceLevels([...visible])).filter(
          ({ criticalPath }) =>
            criticalPath === undefined || labels.has(criticalPath),
        ),
      ),
    );
  });
  return router;
}
