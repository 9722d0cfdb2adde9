import { CATALOG_FILTER_EXISTS } from '@backstage/catalog-client';
import type { CatalogApi } from '@backstage/plugin-catalog-react';
import {
  ANNOTATION_CRITICAL_PATH,
  CRITICAL_PATH_KIND,
  indexComponents,
  parseCriticalPath,
  resolvePath,
  type ParsedCriticalPath,
  type ResolvedPath,
} from '@rocket/plugin-critical-paths-common';

/** All paths of the catalog that can be read, by title. */
export async function loadPaths(
  catalog: CatalogApi,
): Promise<ParsedCriticalPath[]> {
  const paths: ParsedCriticalPath[] = [];
  const batches = catalog.streamEntities({
    filter: { kind: CRITICAL_PATH_KIND },
  });
  for await (const batch of batches) {
    for (const entity of batch) {
      try {
        paths.push(parseCriticalPath(entity));
      } catch {
        // Cannot be measured either; its own page says what is wrong.
      }
    }
  }
  return paths.sort((a, b) => a.title.localeCompare(b.title));
}

/** The applications that serve each step of a path now. */
export async function loadSteps(
  catalog: CatalogApi,
  path: ParsedCriticalPath,
): Promise<ResolvedPath> {
  const fields = [
    'kind',
    'metadata.name',
    'metadata.namespace',
    'metadata.annotations',
  ];
  const [named, joined] = await Promise.all([
    catalog.getEntitiesByRefs({
      entityRefs: path.steps.map(step => step.componentRef),
      fields,
    }),
    catalog.queryEntities({
      filter: {
        kind: 'Component',
        [`metadata.annotations.${ANNOTATION_CRITICAL_PATH}`]:
          CATALOG_FILTER_EXISTS,
      },
      fields,
      limit: 500,
      totalItems: 'exclude',
    }),
  ]);
  const components = new Map(
    [...named.items, ...joined.items].flatMap(entity =>
      entity ? [[entity.metadata.uid ?? JSON.stringify(entity), entity]] : [],
    ),
  );
  return resolvePath(path, indexComponents(components.values()));
}
