import type {
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { InputError, NotFoundError } from '@backstage/errors';
import {
  ciRegistryReadPermission,
  type ApiDocumentVersionsResponse,
} from '@rocket/plugin-ci-registry-common';
import type express from 'express';
import Router from 'express-promise-router';
import type { DocumentStore } from '../../database/documents/DocumentStore';
import { createAuthorizer, entityRefOf } from '../http';

const PATH = '/documents/:namespace/:name/versions';

/** The versions of an API document. */
export function createDocumentsRouter(options: {
  documents: DocumentStore;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
}): express.Router {
  const { documents } = options;
  const authorize = createAuthorizer(options);
  const router = Router();
  const apiOf = (req: express.Request) => {
    req.params.kind = 'api';
    return entityRefOf(req);
  };

  router.get(PATH, async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const api = apiOf(req);
    const answer: ApiDocumentVersionsResponse = {
      items: await documents.list(api),
    };
    if (!answer.items.length) {
      throw new NotFoundError(`No document of ${api} was ever pushed`);
    }
    res.json(answer);
  });

  router.get(`${PATH}/:version`, async (req, res) => {
    await authorize(req, ciRegistryReadPermission);
    const api = apiOf(req);
    const { version } = req.params;
    if (!/^[1-9]\d{0,8}$/.test(version)) {
      throw new InputError(`version: ${version} is not a whole number from 1`);
    }
    const found = await documents.definition(api, Number(version));
    if (!found) {
      throw new NotFoundError(`There is no version ${version} of ${api}`);
    }
    // Somebody else's text: it is shown, never run.
    res
      .type('text/plain; charset=utf-8')
      .set('X-Content-Type-Options', 'nosniff')
      .send(found.definition);
  });

  return router;
}
