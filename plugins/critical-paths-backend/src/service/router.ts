import type {
  BackstageCredentials,
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import { InputError, NotAllowedError } from '@backstage/errors';
import {
  AuthorizeResult,
  type BasicPermission,
} from '@backstage/plugin-permission-common';
import {
  BOARD_WINDOWS,
  PATH_STATES,
  criticalPathsCollectPermission,
  criticalPathsReadPermission,
  isEntityRef,
  type CollectResponse,
} from '@rocket/plugin-critical-paths-common';
import express from 'express';
import Router from 'express-promise-router';
import { z } from 'zod';
import { BoardBodies } from './BoardBodies';
import type { PathService } from './PathService';

function list(values: readonly string[]): string {
  return `${values.slice(0, -1).join(', ')} or ${values[values.length - 1]}`;
}

const windowSchema = z
  .enum(BOARD_WINDOWS, { error: `must be ${list(BOARD_WINDOWS)}` })
  .default('24h');

/** A parameter that may be given several times, or as a list with commas. */
const many = z
  .union([z.string(), z.array(z.string())], { error: 'must be a text' })
  .transform(value =>
    [value]
      .flat()
      .flatMap(v => v.split(','))
      .map(v => v.trim())
      .filter(v => v !== ''),
  );

function refs(defaultKind: string) {
  const error = `must be an entity ref, for example ${defaultKind}:default/payments`;
  return many
    .refine(values => values.every(isEntityRef), { error })
    .transform(values =>
      values.map(value =>
        stringifyEntityRef(
          parseEntityRef(value, {
            defaultKind,
            defaultNamespace: 'default',
          }),
        ),
      ),
    )
    .optional();
}

const boardQuery = z.strictObject({
  window: windowSchema,
  businessModel: refs('domain'),
  owner: refs('group'),
  state: many
    .pipe(
      z.array(z.enum(PATH_STATES, { error: `must be ${list(PATH_STATES)}` })),
    )
    .optional(),
  q: z
    .string({ error: 'must be a text of at most 100 characters' })
    .max(100, { error: 'must be a text of at most 100 characters' })
    .optional(),
});

const windowQuery = z.strictObject({ window: windowSchema });

const namePart = z
  .string()
  .regex(/^[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/, {
    error:
      'must be a name of letters, digits and -_. and at most 63 characters',
  });
const pathParams = z.object({ namespace: namePart, name: namePart });
const componentParams = pathParams.extend({ kind: namePart });

/** Checks input; the error names the field, the value and what is allowed. */
function parse<T extends z.ZodType>(
  schema: T,
  where: string,
  input: unknown,
): z.output<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) {
    return parsed.data;
  }
  const known =
    schema instanceof z.ZodObject
      ? `; known are ${Object.keys(schema.shape).join(', ')}`
      : '';
  throw new InputError(
    parsed.error.issues
      .map(issue => {
        if (issue.code === 'unrecognized_keys') {
          return `${where} ${issue.keys.join(', ')} is not known${known}`;
        }
        const field = String(issue.path[0] ?? where);
        const value = (input as Record<string, unknown> | undefined)?.[field];
        return `${where} ${field} ${issue.message}, was ${JSON.stringify(
          value,
        )}`;
      })
      .join('; '),
  );
}

/** Routes of the critical-paths API; `src/schema/openapi.yaml` describes them. */
export async function createRouter(options: {
  service: PathService;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  /** Starts a collection cycle; false when one is running already. */
  collect: () => Promise<boolean>;
  openapi: object;
}): Promise<express.Router> {
  const { service, httpAuth, permissions, collect, openapi } = options;
  const bodies = new BoardBodies(service);
  const router = Router();

  const authorize = async (
    req: express.Request,
    permission: BasicPermission,
  ): Promise<BackstageCredentials> => {
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const [decision] = await permissions.authorize([{ permission }], {
      credentials,
    });
    if (decision.result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(`Permission ${permission.name} is needed`);
    }
    return credentials;
  };

  router.get('/openapi.json', async (req, res) => {
    await httpAuth.credentials(req, { allow: ['user', 'service'] });
    res.json(openapi);
  });

  router.get('/paths', async (req, res) => {
    const credentials = await authorize(req, criticalPathsReadPermission);
    const { window, ...filter } = parse(
      boardQuery,
      'query parameter',
      req.query,
    );
    await bodies.send(req, res, window, filter, credentials);
  });

  router.get('/paths/:namespace/:name', async (req, res) => {
    const credentials = await authorize(req, criticalPathsReadPermission);
    const params = parse(pathParams, 'path parameter', req.params);
    const { window } = parse(windowQuery, 'query parameter', req.query);
    res.json(
      await service.path(
        stringifyEntityRef({ kind: 'criticalpath', ...params }),
        window,
        credentials,
      ),
    );
  });

  router.get('/components/:kind/:namespace/:name/paths', async (req, res) => {
    const credentials = await authorize(req, criticalPathsReadPermission);
    const params = parse(componentParams, 'path parameter', req.params);
    const { window } = parse(windowQuery, 'query parameter', req.query);
    res.json(
      await service.pathsOfComponent(
        stringifyEntityRef(params),
        window,
        credentials,
      ),
    );
  });

  router.post('/collect', async (req, res) => {
    await authorize(req, criticalPathsCollectPermission);
    const answer: CollectResponse = {
      status: (await collect()) ? 'triggered' : 'already-running',
    };
    res.status(202).json(answer);
  });

  return router;
}
