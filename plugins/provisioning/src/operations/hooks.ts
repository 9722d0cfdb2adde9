import { toastApiRef, useApi } from '@backstage/frontend-plugin-api';
import type {
  Operation,
  OperationState,
} from '@rocket/plugin-provisioning-common';
import { useReading } from '@rocket/rocket-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import {
  provisioningApiRef,
  type ProvisioningApi,
} from '../api/ProvisioningApi';

const BUSY_POLL_MS = 2_000;
const CALM_POLL_MS = 15_000;

const isBusy = (operations: Operation[] | undefined) =>
  operations?.some(({ state }) => state === 'running');

/** What people asked for, the newest first; read more often while something happens. */
export function useOperations(filter: {
  subject?: string;
  state?: OperationState;
}) {
  const provisioning = useApi(provisioningApiRef);
  return useReading(
    useQuery({
      queryKey: ['operations', filter],
      queryFn: ({ signal }) => provisioning.listOperations(filter, signal),
      refetchInterval: ({ state }) =>
        isBusy(state.data) ? BUSY_POLL_MS : CALM_POLL_MS,
    }),
  );
}

/** What Rocket made for a component. */
export function useEffects(subject: string) {
  const provisioning = useApi(provisioningApiRef);
  return useReading(
    useQuery({
      queryKey: ['effects', subject],
      queryFn: ({ signal }) => provisioning.listEffects({ subject }, signal),
      refetchInterval: ({ state }) =>
        state.data?.some(
          effect => effect.state === 'applying' || effect.state === 'undoing',
        )
          ? BUSY_POLL_MS
          : CALM_POLL_MS,
    }),
  );
}

/** Every change of one effect. */
export function useEffectEvents(id: string) {
  const provisioning = useApi(provisioningApiRef);
  return useReading(
    useQuery({
      queryKey: ['effect-events', id],
      queryFn: ({ signal }) => provisioning.listEffectEvents(id, signal),
    }),
  );
}

/** Where services run. */
export function useEnvironments() {
  const provisioning = useApi(provisioningApiRef);
  return useReading(
    useQuery({
      queryKey: ['environments'],
      queryFn: ({ signal }) => provisioning.listEnvironments(signal),
    }),
  );
}

/** Versions that were deployed to an environment, the newest first and without the one that runs. */
export function useVersions(
  subject: string,
  environment: string | undefined,
  enabled: boolean,
) {
  const provisioning = useApi(provisioningApiRef);
  return useReading(
    useQuery({
      queryKey: ['versions', subject, environment],
      enabled: enabled && Boolean(environment),
      queryFn: ({ signal }) =>
        provisioning.listVersions(subject, environment!, signal),
    }),
  );
}

/**
 * A call that changes something: what is shown is read again when it ends, and
 * a failure is told in the backend's words.
 */
export function useChange<Input, Output>(
  /** Title of the message on failure; null where the caller shows the error itself. */
  failed: string | null,
  call: (api: ProvisioningApi, input: Input) => Promise<Output>,
) {
  const provisioning = useApi(provisioningApiRef);
  const toast = useApi(toastApiRef);
  const client = useQueryClient();
  return useMutation<Output, Error, Input>({
    mutationFn: input => call(provisioning, input),
    onError: error => {
      if (failed !== null) {
        toast.post({
          title: failed,
          description: error.message,
          status: 'danger',
        });
      }
    },
    onSettled: () => client.invalidateQueries(),
  });
}
