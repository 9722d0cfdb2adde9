import { identityApiRef, useApi } from '@backstage/frontend-plugin-api';
import type {
  DoraResponse,
  FreshnessState,
} from '@rocket/plugin-ci-registry-common';
import { REFRESH_SECONDS, useReading } from '@rocket/rocket-react';
import {
  keepPreviousData,
  useInfiniteQuery,
  useQuery,
  type InfiniteData,
  type QueryKey,
} from '@tanstack/react-query';
import { ciRegistryApiRef } from '../api/CiRegistryApi';

interface Page {
  nextCursor?: string;
}

interface PageRequest {
  limit: number;
  cursor?: string;
  signal: AbortSignal;
}

/** A list that grows by pages. Only the first page is kept fresh by itself: more would be many requests at a time. */
function usePages<T extends Page>(
  queryKey: QueryKey,
  limit: number,
  read: (request: PageRequest) => Promise<T>,
  options: { enabled?: boolean } = {},
) {
  const query = useInfiniteQuery<
    T,
    Error,
    InfiniteData<T>,
    QueryKey,
    string | undefined
  >({
    queryKey,
    enabled: options.enabled,
    queryFn: ({ pageParam, signal }) =>
      read({ limit, cursor: pageParam, signal }),
    initialPageParam: undefined,
    getNextPageParam: last => last.nextCursor,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      (state.data?.pages.length ?? 0) > 1 ? false : REFRESH_SECONDS * 1000,
  });
  const live = (query.data?.pages.length ?? 0) < 2;
  return {
    reading: useReading(query, { live }),
    hasMore: query.hasNextPage,
    loadingMore: query.isFetchingNextPage,
    loadMore: () => {
      query.fetchNextPage();
    },
  };
}

/** What runs where, of a component or a system. */
export function useVersions(of: { component: string } | { system: string }) {
  const api = useApi(ciRegistryApiRef);
  return useReading(
    useQuery({
      queryKey: ['versions', of],
      queryFn: ({ signal }) => api.getVersions(of, { signal }),
    }),
  );
}

/** Builds of a component, the newest first. */
export function useBuilds(component: string) {
  const api = useApi(ciRegistryApiRef);
  return usePages(['builds', component], 10, request =>
    api.getBuilds({ component, ...request }),
  );
}

/** Deployments of a component, the newest first. */
export function useDeployments(component: string, environment?: string) {
  const api = useApi(ciRegistryApiRef);
  return usePages(['deployments', component, environment], 10, request =>
    api.getDeployments({ component, environment, ...request }),
  );
}

/** The DORA metrics. */
export function useDora(request: {
  by: DoraResponse['by'];
  environment: string;
  days: number;
  ref?: string;
}) {
  const api = useApi(ciRegistryApiRef);
  const { by, environment, days, ref } = request;
  return useReading(
    useQuery({
      queryKey: ['dora', by, ref, environment, days],
      queryFn: ({ signal }) =>
        api.getDora({ by, environment, days, ref, signal }),
      // Rows of another grouping would be read as the wanted ones.
      placeholderData: (previous, query) =>
        query?.queryKey[1] === by && query?.queryKey[2] === ref
          ? previous
          : undefined,
    }),
  );
}

/** Every change of an entity, the newest first. */
export function useHistory(entityRef: string) {
  const api = useApi(ciRegistryApiRef);
  return usePages(['history', entityRef], 20, request =>
    api.getHistory(entityRef, request),
  );
}

/** An entity as it was at a version, which never changes. */
export function useEntityVersion(entityRef: string, version: number) {
  const api = useApi(ciRegistryApiRef);
  return useReading(
    useQuery({
      queryKey: ['version', entityRef, version],
      staleTime: Infinity,
      refetchInterval: false,
      queryFn: ({ signal }) =>
        api.getEntityVersion(entityRef, version, { signal }),
    }),
    { live: false },
  );
}

/** How far one entity is known to be true. */
export function useFreshnessOf(entityRef: string) {
  const api = useApi(ciRegistryApiRef);
  return useReading(
    useQuery({
      queryKey: ['freshness', entityRef],
      queryFn: ({ signal }) =>
        api.getFreshness({ entityRef, limit: 1, signal }),
    }),
  );
}

/** Refs of the reader and their groups; undefined until they are known. */
function useOwnRefs() {
  const identityApi = useApi(identityApiRef);
  return useQuery({
    queryKey: ['own-refs'],
    staleTime: Infinity,
    refetchInterval: false,
    queryFn: async () =>
      (await identityApi.getBackstageIdentity()).ownershipEntityRefs,
  }).data;
}

/** What is registered, by owner and state; the owner `mine` stands for the reader and their groups. */
export function useFreshnessList(filter: {
  owner?: string;
  states: FreshnessState[];
}) {
  const api = useApi(ciRegistryApiRef);
  const mine = useOwnRefs();
  const { owner, states } = filter;
  let owners = owner ? [owner] : undefined;
  if (owner === 'mine') {
    owners = mine;
  }
  return usePages(
    ['freshness-list', owner, owners, states],
    50,
    request => api.getFreshness({ owner: owners, state: states, ...request }),
    { enabled: owner !== 'mine' || mine !== undefined },
  );
}

/** The versions of an API document, the newest first. */
export function useDocumentVersions(entityRef: string) {
  const api = useApi(ciRegistryApiRef);
  return useReading(
    useQuery({
      queryKey: ['documents', entityRef],
      queryFn: ({ signal }) => api.getDocumentVersions(entityRef, { signal }),
    }),
  );
}

/** An API document at a version, which never changes. */
export function useDocument(entityRef: string, version: number) {
  const api = useApi(ciRegistryApiRef);
  return useReading(
    useQuery({
      queryKey: ['document', entityRef, version],
      staleTime: Infinity,
      refetchInterval: false,
      queryFn: ({ signal }) =>
        api.getDocumentDefinition(entityRef, version, { signal }),
    }),
    { live: false },
  );
}

/** Who was let in and who was not, the newest first. */
export function useDecisions(refusedOnly: boolean) {
  const api = useApi(ciRegistryApiRef);
  return usePages(['decisions', refusedOnly], 50, request =>
    api.getDecisions({
      ...request,
      allowed: refusedOnly ? false : undefined,
    }),
  );
}
