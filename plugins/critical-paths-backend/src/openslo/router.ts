import type {
  BackstageCredentials,
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { stringifyEntityRef } from '@backstage/catalog-model';
import {
  InputError,
  NotAllowedError,
  NotFoundError,
  toError,
} from '@backstage/errors';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import {
  CRITICAL_PATH_API_VERSION,
  CRITICAL_PATH_KIND,
  criticalPathsReadPermission,
  fromOpenSlo,
  toOpenSlo,
  type OpenSloDocument,
  type ParsedCriticalPath,
} from '@rocket/plugin-critical-paths-common';
import express, { type Request, type Response, type Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { parseAllDocuments, stringify } from 'yaml';
import { parse, pathParams } from '../service/requests';
import type { PathDirectory } from '../service/PathDirectory';

const YAML = 'application/yaml';
const MAX_BODY = '256kb';

function toYaml(documents: OpenSloDocument[]): string {
  return documents.map(document => stringify(document)).join('---\n');
}

/** Every document of a YAML stream; JSON is YAML too. */
function readYaml(text: unknown): unknown[] {
  if (typeof text !== 'string' || text.trim() === '') {
    throw new InputError(
      `body must be OpenSLO documents in YAML or JSON, with Content-Type ${YAML}`,
    );
  }
  const documents = parseAllDocuments(text);
  return [...documents].flatMap((document, index) => {
    const [error] = document.errors;
    if (error) {
      throw new InputError(`documents[${index}] is not YAML: ${error.message}`);
    }
    let value: unknown;
    try {
      // Few aliases: a small text must not become a huge object.
      value = document.toJS({ maxAliasCount: 20 });
    } catch (failure) {
      throw new InputError(
        `documents[${index}] cannot be read: ${toError(failure).message}`,
      );
    }
    return value === null ? [] : [value];
  });
}

/** Routes that speak OpenSLO; `src/schema/openapi.yaml` describes them. */
export function createOpenSloRouter(options: {
  directory: Pick<PathDirectory, 'model' | 'visibleTo'>;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
}): Router {
  const { directory, httpAuth, permissions } = options;
  const router = PromiseRouter();

  const authorize = async (req: Request): Promise<BackstageCredentials> => {
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
  const visible = async (
    credentials: BackstageCredentials,
  ): Promise<ParsedCriticalPath[]> => {
    const [{ paths }, refs] = await Promise.all([
      directory.model(),
      directory.visibleTo(credentials),
    ]);
    return [...paths.values()]
      .map(({ path }) => path)
      .filter(({ entityRef }) => refs.has(entityRef));
  };
  const find = async (req: Request): Promise<ParsedCriticalPath> => {
    const credentials = await authorize(req);
    const params = parse(pathParams, 'path parameter', req.params);
    const ref = stringifyEntityRef({ kind: 'criticalpath', ...params });
    const path = (await visible(credentials)).find(p => p.entityRef === ref);
    if (!path) {
      throw new NotFoundError(`There is no ${ref}`);
    }
    return path;
  };
  const send = (res: Response, paths: ParsedCriticalPath[], name: string) =>
    res
      .attachment(`${name}.openslo.yaml`)
      .type(YAML)
      .send(toYaml(toOpenSlo(paths)));

  router.get('/openslo', async (req, res) => {
    send(res, await visible(await authorize(req)), 'critical-paths');
  });

  router.get('/paths/:namespace/:name/openslo', async (req, res) => {
    const path = await find(req);
    send(res, [path], path.name);
  });

  router.post(
    '/paths/:namespace/:name/openslo',
    // Before the body is read: an unknown caller cannot make the server parse it.
    async (req, _res, next) => {
      await authorize(req);
      next();
    },
    express.text({ limit: MAX_BODY, type: () => true }),
    async (req, res) => {
      const path = await find(req);
      const { objectives, notes } = fromOpenSlo(readYaml(req.body), path);
      const patch = {
        apiVersion: CRITICAL_PATH_API_VERSION,
        kind: CRITICAL_PATH_KIND,
        metadata: { namespace: path.namespace, name: path.name },
        spec: { objectives },
      };
      const comments = [
        `Objectives of ${path.entityRef} as OpenSLO says them. They replace spec.objectives of the CriticalPath in its repository.`,
        ...notes,
      ];
      res
        .attachment(`${path.name}.objectives.yaml`)
        .type(YAML)
        .send(
          `${comments
            .map(comment => `# ${comment.replace(/\s+/g, ' ')}\n`)
            .join('')}${stringify(patch)}`,
        );
    },
  );

  return router;
}
