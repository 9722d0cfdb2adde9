import type {
  AuthService,
  DatabaseService,
  HttpAuthService,
  PermissionsService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import type { Router } from 'express';
import { DatabaseDocumentStore } from '../../database/documents/DatabaseDocumentStore';
import type { EntityStore } from '../../database/EntityStore';
import type { DocumentWriter } from '../../database/PushPart';
import { ApiDocuments } from './ApiDocuments';
import { createDocumentsRouter } from './router';
import { readDocumentSettings } from './settings';

/** API documents; call it after the migrations. */
export async function setUpDocuments(options: {
  auth: AuthService;
  catalog: CatalogService;
  config: RootConfigService;
  database: DatabaseService;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  /** What was pushed; the catalog may not have it yet. */
  entities: Pick<EntityStore, 'getMany'>;
}): Promise<{ writer: DocumentWriter; router: Router }> {
  const { auth, catalog, entities } = options;
  const documents = new DatabaseDocumentStore(
    await options.database.getClient(),
  );
  return {
    writer: new ApiDocuments({
      store: documents,
      settings: readDocumentSettings(options.config),
      async findComponent(ref) {
        const pushed = (await entities.getMany([ref])).get(ref);
        if (pushed && pushed.state !== 'removed') return pushed.entity;
        return catalog.getEntityByRef(ref, {
          credentials: await auth.getOwnServiceCredentials(),
        });
      },
    }),
    router: createDocumentsRouter({ ...options, documents }),
  };
}
