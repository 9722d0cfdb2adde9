import { identityApiRef, useApi } from '@backstage/frontend-plugin-api';
import { usePermission } from '@backstage/plugin-permission-react';
import { Button, Text, TextField } from '@backstage/ui';
import {
  RiCheckLine,
  RiCloseLine,
  RiProhibitedLine,
  RiRestartLine,
} from '@remixicon/react';
import {
  provisioningApprovePermission,
  provisioningOperatePermission,
  type Operation,
} from '@rocket/plugin-provisioning-common';
import {
  Ago,
  EntityName,
  formatTimestamp,
  ToneBadge,
} from '@rocket/rocket-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Note } from '../shared/Note';
import { useChange } from './hooks';
import { KINDS, OPERATION_STATES } from './looks';
import styles from './Operations.module.css';
import { Steps } from './Steps';

function Decision({ operation }: { operation: Operation }) {
  const [reason, setReason] = useState('');
  const identity = useApi(identityApiRef);
  const { data: me } = useQuery({
    queryKey: ['me'],
    queryFn: () => identity.getBackstageIdentity(),
    staleTime: Infinity,
  });
  const { allowed } = usePermission({
    permission: provisioningApprovePermission,
  });
  const decide = useChange(
    'The decision was not taken',
    (api, decision: 'approve' | 'reject') =>
      api.decideOperation(operation.id, decision, reason || undefined),
  );
  if (me?.userEntityRef === operation.requestedBy) {
    return (
      <Note tone="neutral">
        You asked for it; somebody else of {operation.approvers?.join(', ')} has
        to agree.
      </Note>
    );
  }
  if (!allowed) {
    return null;
  }
  return (
    <div className={styles.form}>
      <TextField
        label="Reason"
        description="Kept with the decision; a refusal needs one."
        value={reason}
        onChange={setReason}
        size="small"
      />
      <div className={styles.actions}>
        <Button
          variant="primary"
          size="small"
          iconStart={<RiCheckLine />}
          isPending={decide.isPending && decide.variables === 'approve'}
          isDisabled={decide.isPending}
          onPress={() => decide.mutate('approve')}
        >
          Approve
        </Button>
        <Button
          variant="secondary"
          size="small"
          destructive
          iconStart={<RiCloseLine />}
          isPending={decide.isPending && decide.variables === 'reject'}
          // Who asked has to learn why not.
          isDisabled={decide.isPending || reason.trim() === ''}
          onPress={() => decide.mutate('reject')}
        >
          Refuse
        </Button>
      </div>
    </div>
  );
}

function Tools({ operation }: { operation: Operation }) {
  const { id, state } = operation;
  const { allowed } = usePermission({
    permission: provisioningOperatePermission,
  });
  const change = useChange(
    `${KINDS[operation.kind]}: that did not work`,
    (api, what: 'retry' | 'cancel') =>
      what === 'retry' ? api.retryOperation(id) : api.cancelOperation(id),
  );
  const canRetry = state === 'failed' || state === 'partial';
  const canCancel = state === 'waiting' || state === 'running';
  if (!allowed || !(canRetry || canCancel)) {
    return null;
  }
  return (
    <div className={styles.actions}>
      {canRetry && (
        <Button
          size="small"
          variant="secondary"
          iconStart={<RiRestartLine />}
          isPending={change.isPending}
          onPress={() => change.mutate('retry')}
        >
          Try again what is left
        </Button>
      )}
      {canCancel && (
        <Button
          size="small"
          variant="secondary"
          iconStart={<RiProhibitedLine />}
          isPending={change.isPending}
          onPress={() => change.mutate('cancel')}
        >
          {state === 'waiting' ? 'Withdraw' : 'Stop after this step'}
        </Button>
      )}
    </div>
  );
}

/** What was asked for, how far it is, and what can be done about it. */
export function OperationCard(props: {
  operation: Operation;
  /** Names the component as well. */
  withSubject?: boolean;
}) {
  const { operation, withSubject } = props;
  const { state, decision } = operation;
  const look = OPERATION_STATES[state];
  const over = state === 'done' || state === 'rejected' || state === 'expired';
  const steps = (
    <Steps
      steps={operation.steps}
      label={`Steps of: ${KINDS[operation.kind]}`}
    />
  );
  return (
    <li className={styles.card}>
      <div className={styles.head}>
        <Text as="h3" variant="body-large" weight="bold">
          {KINDS[operation.kind]}
          {operation.environment && ` in ${operation.environment}`}
        </Text>
        <ToneBadge subject="State" {...look} title={look.meaning} />
      </div>
      {withSubject && (
        <EntityName entityRef={operation.subject} tab="/resources" />
      )}
      <p className={styles.quiet}>
        Asked for by {operation.requestedBy}, <Ago at={operation.requestedAt} />
        {operation.reason && `: ${operation.reason}`}
        {decision && (
          <>
            . {decision.approved ? 'Approved' : 'Refused'} by {decision.by},{' '}
            <Ago at={decision.at} />
            {decision.reason && `: ${decision.reason}`}
          </>
        )}
        {state === 'waiting' &&
          operation.expiresAt &&
          `. Ends unless approved by ${formatTimestamp(operation.expiresAt)}`}
      </p>
      {operation.message && (
        <Note
          tone={
            state === 'failed' || state === 'partial' ? 'negative' : 'neutral'
          }
        >
          {operation.message}
        </Note>
      )}
      {over ? (
        <details className={styles.all}>
          <summary>
            {operation.steps.length}{' '}
            {operation.steps.length === 1 ? 'step' : 'steps'}
          </summary>
          {steps}
        </details>
      ) : (
        steps
      )}
      {state === 'waiting' && <Decision operation={operation} />}
      <Tools operation={operation} />
    </li>
  );
}
