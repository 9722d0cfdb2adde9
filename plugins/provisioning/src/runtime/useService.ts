import { useApi } from '@backstage/frontend-plugin-api';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { ServiceStatus } from '@rocket/plugin-provisioning-common';
import {
  provisioningApiRef,
  type ServiceOperation,
} from '../api/ProvisioningApi';

const BUSY_POLL_MS = 1_000;
const CALM_POLL_MS = 5_000;

function isBusy(status: ServiceStatus | null | undefined): boolean {
  return (
    status?.state === 'deploying' ||
    status?.state === 'restarting' ||
    status?.deployment?.status === 'running'
  );
}

/** The service, read again every few seconds; null when the runtime has none of this name. */
export function useService(name: string) {
  const provisioning = useApi(provisioningApiRef);
  return useQuery({
    queryKey: ['service', name],
    queryFn: async ({ signal }) =>
      (await provisioning.getService(name, signal)) ?? null,
    refetchInterval: query =>
      isBusy(query.state.data) ? BUSY_POLL_MS : CALM_POLL_MS,
  });
}

/** Starts, stops or restarts the service and shows its new state at once. */
export function useServiceOperation(name: string) {
  const provisioning = useApi(provisioningApiRef);
  const client = useQueryClient();
  return useMutation({
    mutationFn: (asked: { operation: ServiceOperation; reason?: string }) =>
      provisioning.operate(name, asked.operation, asked.reason),
    onSuccess: status => client.setQueryData(['service', name], status),
    onError: () => client.invalidateQueries({ queryKey: ['service', name] }),
  });
}
