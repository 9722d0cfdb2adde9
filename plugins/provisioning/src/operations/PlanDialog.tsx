import {
  Button,
  Dialog,
  DialogBody,
  DialogFooter,
  DialogHeader,
  TextField,
} from '@backstage/ui';
import type {
  OperationPlan,
  PlanRequest,
} from '@rocket/plugin-provisioning-common';
import { useState, type ReactNode } from 'react';
import { Note } from '../shared/Note';
import { useChange } from './hooks';
import { KINDS } from './looks';
import styles from './Operations.module.css';
import { Steps } from './Steps';

const DANGEROUS = new Set(['undo', 'retire', 'environment-delete']);

/** Props of {@link PlanDialog}. */
export interface PlanDialogProps {
  /** What to plan; undefined while the form is not filled in. */
  request: PlanRequest | undefined;
  title: string;
  /** Fields above the plan. A change of them makes the plan void. */
  children?: ReactNode;
  onClose(): void;
}

function planKey(request: PlanRequest | undefined) {
  return request && JSON.stringify(request);
}

/**
 * Two steps that cannot be taken in one: see the plan, then agree to it. What
 * is carried out is what was shown, by the plan's digest.
 */
export function PlanDialog(props: PlanDialogProps) {
  const { request, title, children, onClose } = props;
  const [planned, setPlanned] = useState<{
    key: string;
    plan: OperationPlan;
  }>();
  const [reason, setReason] = useState('');
  const look = useChange(null, (api, wanted: PlanRequest) => api.plan(wanted));
  const start = useChange(null, (api, plan: OperationPlan) =>
    api.startOperation({
      kind: plan.kind,
      subject: plan.subject,
      environment: plan.environment,
      input: plan.input,
      digest: plan.digest,
      reason: reason || undefined,
    }),
  );
  const key = planKey(request);
  const plan = planned && planned.key === key ? planned.plan : undefined;
  const failure = plan ? start.error : look.error;
  const show = () =>
    request &&
    look.mutate(request, {
      onSuccess: answer => setPlanned({ key: key!, plan: answer }),
    });
  return (
    <Dialog
      isOpen
      onOpenChange={open => {
        if (!open) onClose();
      }}
      width={640}
    >
      <DialogHeader>{title}</DialogHeader>
      <DialogBody>
        <div className={styles.form}>
          {children}
          {failure && (
            <Note tone="negative" live>
              {failure.message}
            </Note>
          )}
          {plan && (
            <>
              {plan.warnings.length > 0 && (
                <div className={styles.warnings}>
                  {plan.warnings.map(warning => (
                    <Note key={warning} tone="negative">
                      {warning}
                    </Note>
                  ))}
                </div>
              )}
              {plan.steps.length > 0 ? (
                <Steps steps={plan.steps} label={`Plan: ${KINDS[plan.kind]}`} />
              ) : (
                <Note tone="neutral">There is nothing to do.</Note>
              )}
              {plan.approval && (
                <Note tone="neutral">
                  {plan.approval.reason} One of{' '}
                  {plan.approval.approvers.join(', ')} has to approve it, and
                  not you.
                </Note>
              )}
              {plan.steps.length > 0 && (
                <TextField
                  label="Reason"
                  description="Kept with the operation, for whoever asks later."
                  value={reason}
                  onChange={setReason}
                />
              )}
            </>
          )}
        </div>
      </DialogBody>
      <DialogFooter>
        <Button variant="secondary" onPress={onClose}>
          Close
        </Button>
        {plan ? (
          <Button
            variant="primary"
            destructive={DANGEROUS.has(plan.kind)}
            isPending={start.isPending}
            isDisabled={plan.steps.length === 0}
            onPress={() => start.mutate(plan, { onSuccess: onClose })}
          >
            {plan.approval ? 'Ask for approval' : 'Do it'}
          </Button>
        ) : (
          <Button
            variant="primary"
            isPending={look.isPending}
            isDisabled={!request}
            onPress={show}
          >
            Show the plan
          </Button>
        )}
      </DialogFooter>
    </Dialog>
  );
}
