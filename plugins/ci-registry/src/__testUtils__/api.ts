import type { CiRegistryApi } from '../api/CiRegistryApi';
import { makeDora, makeFreshnessPage } from './boards';
import {
  makeBuilds,
  makeDecisions,
  makeDeployments,
  makeDocumentVersions,
  makeEntityVersion,
  makeHistory,
  makeSystemVersions,
  makeVersions,
  type Moment,
} from './fixtures';

/** The API over the fixtures; each answer passes through `answer`. */
export function fixtureApi(
  at: Moment,
  answer: <T>(value: T) => Promise<T> = async value => value,
): CiRegistryApi {
  return {
    getBuilds: ({ commit } = {}) =>
      answer({
        items: makeBuilds(at).filter(
          build => commit === undefined || build.commit === commit,
        ),
      }),
    getDeployments: () => answer({ items: makeDeployments(at) }),
    getVersions: of =>
      answer({
        items: 'system' in of ? makeSystemVersions(at) : makeVersions(at),
        generatedAt: new Date(at.now).toISOString(),
      }),
    getDora: request => answer(makeDora(at, request)),
    getHistory: () => answer({ items: makeHistory(at) }),
    getEntityVersion: async (_ref, version) =>
      answer(makeEntityVersion(at, version)),
    exportHistory: () =>
      answer(
        new Blob(makeHistory(at).map(change => `${JSON.stringify(change)}\n`)),
      ),
    getFreshness: filter => answer(makeFreshnessPage(at, filter)),
    getDocumentVersions: () => answer({ items: makeDocumentVersions(at) }),
    getDocumentDefinition: (_ref, version) =>
      answer(`openapi: 3.1.0\ninfo:\n  version: ${version}.0.0\n`),
    getDecisions: ({ allowed } = {}) =>
      answer({
        items: makeDecisions(at).filter(
          decision => allowed === undefined || decision.allowed === allowed,
        ),
      }),
  };
}

/** A registry that nothing was pushed to. */
export function emptyApi(at: Moment): CiRegistryApi {
  const api = fixtureApi(at);
  const empty = async () => ({ items: [] });
  return {
    ...api,
    getBuilds: empty,
    getDeployments: empty,
    getVersions: async () => ({
      items: [],
      generatedAt: new Date(at.now).toISOString(),
    }),
    getDora: async request => ({ ...makeDora(at, request), rows: [] }),
    getHistory: empty,
    getFreshness: async () => ({
      ...makeFreshnessPage(at, { entityRef: 'component:default/none' }),
      counts: {
        fresh: 0,
        stale: 0,
        gone: 0,
        'running-unregistered': 0,
        'registered-not-running': 0,
        unmanaged: 0,
      },
    }),
    getDocumentVersions: empty,
    getDecisions: empty,
  };
}
