import { useApi } from '@backstage/frontend-plugin-api';
import { useReading } from '@rocket/rocket-react';
import type {
  BoardSignal,
  BoardWindow,
  PathName,
} from '@rocket/plugin-critical-paths-common';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { criticalPathsApiRef } from '../api/CriticalPathsApi';
import { takeEarly, takeEarlyAnswer } from '../lib/earlyBoard';

/** All paths over a window. */
export function useBoard(window: BoardWindow) {
  const api = useApi(criticalPathsApiRef);
  return useReading(
    useQuery({
      queryKey: ['board', window],
      initialData: () => takeEarlyAnswer(window),
      queryFn: ({ signal }) =>
        takeEarly(window) ?? api.getBoard({ window, signal }),
      placeholderData: keepPreviousData,
    }),
  );
}

/** All paths by one signal over a window. */
export function useSignalBoard(signal: BoardSignal, window: BoardWindow) {
  const api = useApi(criticalPathsApiRef);
  return useReading(
    useQuery({
      queryKey: ['signal', signal, window],
      queryFn: ({ signal: abort }) =>
        api.getSignalBoard(signal, { window, signal: abort }),
      placeholderData: (previous, query) =>
        query?.queryKey[1] === signal ? previous : undefined,
    }),
  );
}

/** The paths summed up by owner over a window. */
export function useTeams(window: BoardWindow) {
  const api = useApi(criticalPathsApiRef);
  return useReading(
    useQuery({
      queryKey: ['teams', window],
      queryFn: ({ signal }) => api.getTeams({ window, signal }),
      placeholderData: keepPreviousData,
    }),
  );
}

/** One path over a window. */
export function usePath(namespace: string, name: string, window: BoardWindow) {
  const api = useApi(criticalPathsApiRef);
  return useReading(
    useQuery({
      queryKey: ['path', namespace, name, window],
      queryFn: ({ signal }) =>
        api.getPath({ namespace, name }, { window, signal }),
      placeholderData: (previous, query) =>
        query?.queryKey[1] === namespace && query?.queryKey[2] === name
          ? previous
          : undefined,
    }),
  );
}

/** The paths of a component over a window. */
export function useComponentPaths(
  component: { kind: string; namespace: string; name: string },
  window: BoardWindow,
) {
  const api = useApi(criticalPathsApiRef);
  return useReading(
    useQuery({
      queryKey: ['component', component, window],
      queryFn: ({ signal }) =>
        api.getComponentPaths(component, { window, signal }),
      placeholderData: keepPreviousData,
    }),
  );
}

/** What owners were told about burning budgets, of one path or of all that the reader may see. */
export function useAlerts({ pathRef }: { pathRef?: string } = {}) {
  const api = useApi(criticalPathsApiRef);
  return useReading(
    useQuery({
      queryKey: ['alerts', pathRef ?? ''],
      queryFn: ({ signal }) => api.getAlerts({ pathRef, signal }),
    }),
  );
}

/** What the gate says about a component or a path; looking at it is no deployment. */
export function useGate(entityRef: string) {
  const api = useApi(criticalPathsApiRef);
  return useReading(
    useQuery({
      queryKey: ['gate', entityRef],
      queryFn: ({ signal }) =>
        api.getGate(entityRef, { preview: true, signal }),
    }),
  );
}

/** Service levels that are kept at the telemetry sources of a path's applications. */
export function useServiceLevels({ namespace, name }: PathName) {
  const api = useApi(criticalPathsApiRef);
  return useReading(
    useQuery({
      queryKey: ['service-levels', namespace, name],
      queryFn: ({ signal }) =>
        api.getServiceLevelsOfPath({ namespace, name }, { signal }),
    }),
  );
}
