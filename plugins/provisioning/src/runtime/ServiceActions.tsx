import { toastApiRef, useApi } from '@backstage/frontend-plugin-api';
import { usePermission } from '@backstage/plugin-permission-react';
import {
  Button,
  Dialog,
  DialogBody,
  DialogFooter,
  DialogHeader,
  Flex,
  Text,
  TextField,
} from '@backstage/ui';
import { RiPlayLine, RiRestartLine, RiStopLine } from '@remixicon/react';
import {
  provisioningOperatePermission,
  type ServiceStatus,
} from '@rocket/plugin-provisioning-common';
import { useState } from 'react';
import type { ServiceOperation } from '../api/ProvisioningApi';
import { Note } from '../shared/Note';
import { useServiceOperation } from './useService';

/** Start, stop and restart, as far as the reader may and the state allows. */
export function ServiceActions({ service }: { service: ServiceStatus }) {
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState('');
  const toast = useApi(toastApiRef);
  const { loading, allowed } = usePermission({
    permission: provisioningOperatePermission,
  });
  const operation = useServiceOperation(service.name);

  const operate = (what: ServiceOperation) => {
    setAsking(false);
    const asked = {
      operation: what,
      reason: what === 'stop' ? reason.trim() || undefined : undefined,
    };
    operation.mutate(asked, {
      onError: error =>
        toast.post({
          title: `Could not ${what} ${service.name}`,
          description: error.message,
          status: 'danger',
        }),
    });
  };

  if (loading) {
    return null;
  }
  if (!allowed) {
    return (
      <Note tone="neutral">You may look at this service, not operate it.</Note>
    );
  }
  const down = service.state === 'stopped' || service.state === 'failed';
  const busy = service.state === 'deploying' || operation.isPending;
  const pending = (what: ServiceOperation) =>
    operation.isPending && operation.variables.operation === what;
  return (
    <Flex gap="2">
      {down ? (
        <Button
          variant="primary"
          size="small"
          iconStart={<RiPlayLine />}
          isDisabled={busy}
          isPending={pending('start')}
          onPress={() => operate('start')}
        >
          Start
        </Button>
      ) : (
        <>
          <Button
            variant="secondary"
            size="small"
            iconStart={<RiRestartLine />}
            isDisabled={busy}
            isPending={pending('restart')}
            onPress={() => operate('restart')}
          >
            Restart
          </Button>
          <Button
            variant="secondary"
            size="small"
            destructive
            iconStart={<RiStopLine />}
            isDisabled={operation.isPending}
            isPending={pending('stop')}
            onPress={() => setAsking(true)}
          >
            Stop
          </Button>
        </>
      )}
      <Dialog isOpen={asking} onOpenChange={setAsking}>
        <DialogHeader>Stop {service.name}?</DialogHeader>
        <DialogBody>
          <Flex direction="column" gap="4">
            <Text as="p">
              It finishes the requests it has and then answers no more, until
              somebody starts it again. Its data stays.
            </Text>
            <TextField
              label="Reason"
              description="Needed in an emergency, where changes wait for an approver: it is stopped at once and your reason is recorded."
              value={reason}
              onChange={setReason}
            />
          </Flex>
        </DialogBody>
        <DialogFooter>
          <Button variant="secondary" onPress={() => setAsking(false)}>
            Keep it running
          </Button>
          <Button variant="primary" destructive onPress={() => operate('stop')}>
            Stop it
          </Button>
        </DialogFooter>
      </Dialog>
    </Flex>
  );
}
