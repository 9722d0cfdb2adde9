import { createApiRef } from '@backstage/frontend-plugin-api';
import type { CiRegistryClient } from '@rocket/plugin-ci-registry-common';

/** What the portal asks the CI registry. Every call fails with a `ResponseError`. */
export type CiRegistryApi = Pick<
  CiRegistryClient,
  | 'getBuilds'
  | 'getDeployments'
  | 'getVersions'
  | 'getDora'
  | 'getHistory'
  | 'getEntityVersion'
  | 'exportHistory'
  | 'getFreshness'
  | 'getDocumentVersions'
  | 'getDocumentDefinition'
  | 'getDecisions'
>;

/** The client of the CI registry. */
export const ciRegistryApiRef = createApiRef<CiRegistryApi>().with({
  id: 'plugin.ci-registry.client',
  pluginId: 'ci-registry',
});
