import { REFRESH_SECONDS } from '@rocket/rocket-react';
import { useApi } from '@backstage/frontend-plugin-api';
import type {
  BoardWindow,
  PathName,
  WorkflowName,
} from '@rocket/plugin-critical-paths-common';
import {
  keepPreviousData,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { workflowsApiRef } from '../../api/workflowsApi';

/** How often a run that goes on is looked at. */
const RUNNING_MS = 1000;

/** The workflows of a path; looked at more often while one runs. */
export function useWorkflows(path: PathName, window: BoardWindow) {
  const api = useApi(workflowsApiRef);
  return useQuery({
    queryKey: ['workflows', path.namespace, path.name, window],
    queryFn: ({ signal }) => api.getWorkflows(path, { window, signal }),
    placeholderData: keepPreviousData,
    refetchInterval: query =>
      query.state.data?.workflows.some(({ running }) => running)
        ? RUNNING_MS
        : REFRESH_SECONDS * 1000,
  });
}

/** The evidence of a run; asked for again until the run ended. */
export function useWorkflowRun(workflow: WorkflowName, id: string | undefined) {
  const api = useApi(workflowsApiRef);
  return useQuery({
    queryKey: ['workflow-run', workflow, id],
    enabled: id !== undefined,
    queryFn: ({ signal }) => api.getWorkflowRun(workflow, id!, { signal }),
    refetchInterval: query =>
      query.state.data?.status === 'running' ? RUNNING_MS : false,
  });
}

/** Starts a run and looks at the workflows again. */
export function useStartRun(workflow: WorkflowName) {
  const api = useApi(workflowsApiRef);
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => api.startWorkflowRun(workflow),
    onSettled: () =>
      client.invalidateQueries({
        queryKey: ['workflows', workflow.namespace, workflow.name],
      }),
  });
}
