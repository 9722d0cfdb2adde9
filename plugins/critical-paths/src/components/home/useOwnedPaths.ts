import { parseEntityRef } from '@backstage/catalog-model';
import { identityApiRef, useApi } from '@backstage/frontend-plugin-api';
import { catalogApiRef } from '@backstage/plugin-catalog-react';
import { CRITICAL_PATH_KIND } from '@rocket/plugin-critical-paths-common';
import { useQuery } from '@tanstack/react-query';

/** Components of the reader that are looked through. More than a person's groups own. */
const MAX_COMPONENTS = 500;
const KIND = CRITICAL_PATH_KIND.toLocaleLowerCase('en-US');

/** What the reader has to do with critical paths. */
export interface OwnedPaths {
  /** Refs of the reader and their groups: paths with these owners are theirs. */
  owners: Set<string>;
  /** Refs of paths that a component of theirs is part of. */
  paths: Set<string>;
}

/** Reads the reader's groups, and the paths of the components that these own. */
export function useOwnedPaths() {
  const identityApi = useApi(identityApiRef);
  const catalogApi = useApi(catalogApiRef);
  return useQuery({
    queryKey: ['owned-paths'],
    refetchInterval: 5 * 60_000,
    queryFn: async (): Promise<OwnedPaths> => {
      const { ownershipEntityRefs } = await identityApi.getBackstageIdentity();
      const owners = new Set(ownershipEntityRefs);
      const paths = new Set<string>();
      if (owners.size > 0) {
        const { items } = await catalogApi.queryEntities({
          filter: {
            kind: 'component',
            'relations.ownedBy': ownershipEntityRefs,
          },
          fields: ['kind', 'metadata.name', 'metadata.namespace', 'relations'],
          limit: MAX_COMPONENTS,
        });
        for (const { relations = [] } of items) {
          for (const { targetRef } of relations) {
            if (parseEntityRef(targetRef).kind === KIND) {
              paths.add(targetRef);
            }
          }
        }
      }
      return { owners, paths };
    },
  });
}
