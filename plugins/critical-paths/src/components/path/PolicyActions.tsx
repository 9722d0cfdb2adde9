import { useState, type ReactNode } from 'react';
import { ResponseError } from '@backstage/errors';
import { toastApiRef, useApi } from '@backstage/frontend-plugin-api';
import { usePermission } from '@backstage/plugin-permission-react';
import {
  criticalPathsPolicyManagePermission,
  type MaintenanceWindow,
  type PathDetail,
} from '@rocket/plugin-critical-paths-common';
import {
  Alert,
  Button,
  Dialog,
  DialogBody,
  DialogFooter,
  DialogHeader,
  Text,
  TextField,
} from '@backstage/ui';
import { formatTimestamp } from '@rocket/rocket-react';
import { RiRestartLine, RiToolsLine } from '@remixicon/react';
import { criticalPathsApiRef } from '../../api/CriticalPathsApi';
import styles from './BudgetSection.module.css';

const MIN_REASON = 5;

/** A time as an input of the type datetime-local wants it, in the reader's zone. */
export function toLocalInput(time: number): string {
  const date = new Date(time - new Date(time).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16);
}

/** Backstage UI has no field for a time. */
function TimeField(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <label className={styles.field}>
      {props.label}
      <input
        type="datetime-local"
        required
        value={props.value}
        onChange={event => props.onChange(event.target.value)}
      />
    </label>
  );
}

interface AskProps {
  title: string;
  explanation: string;
  confirm: string;
  isOpen: boolean;
  /** Why it cannot be sent yet. */
  problem?: string;
  onClose: () => void;
  onConfirm: (reason: string) => Promise<unknown>;
  done: string;
  children?: ReactNode;
}

/** Asks for a reason, does it, and keeps what was typed when it fails. */
function Ask(props: AskProps) {
  const { title, explanation, confirm, isOpen, problem, children } = props;
  const [reason, setReason] = useState('');
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const toast = useApi(toastApiRef);
  const missing =
    problem ??
    (reason.trim().length < MIN_REASON
      ? `Give a reason of at least ${MIN_REASON} characters.`
      : undefined);
  const send = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      await props.onConfirm(reason.trim());
      toast.post({ title: props.done, status: 'success' });
      setReason('');
      props.onClose();
    } catch (error) {
      setFailure(
        error instanceof ResponseError
          ? error.cause.message
          : (error as Error).message,
      );
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      isOpen={isOpen}
      onOpenChange={open => {
        if (!open) {
          props.onClose();
        }
      }}
    >
      <DialogHeader>{title}</DialogHeader>
      <DialogBody>
        <div className={styles.form}>
          <Text as="p">{explanation}</Text>
          {children}
          <TextField
            label="Reason"
            description="Goes into the audit log with your name."
            value={reason}
            onChange={setReason}
            maxLength={500}
            isRequired
          />
          {missing && reason !== '' && (
            <Text as="p" color="secondary">
              {missing}
            </Text>
          )}
          {failure && (
            <Alert
              status="danger"
              icon
              title="It was not done"
              description={failure}
            />
          )}
        </div>
      </DialogBody>
      <DialogFooter>
        <Button
          variant="primary"
          isDisabled={busy || missing !== undefined}
          onPress={send}
        >
          {confirm}
        </Button>
        <Button variant="secondary" onPress={props.onClose}>
          Cancel
        </Button>
      </DialogFooter>
    </Dialog>
  );
}

function Downtime({
  path,
  onChanged,
}: {
  path: PathDetail;
  onChanged: () => void;
}) {
  const api = useApi(criticalPathsApiRef);
  const [asking, setAsking] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const open = () => {
    const now = Math.ceil(Date.now() / 300_000) * 300_000;
    setFrom(toLocalInput(now));
    setTo(toLocalInput(now + 3_600_000));
    setAsking(true);
  };
  return (
    <>
      <Button
        size="small"
        variant="secondary"
        iconStart={<RiToolsLine />}
        onPress={open}
      >
        Plan downtime
      </Button>
      <Ask
        title={`Plan downtime of ${path.title}`}
        explanation="Requests of these minutes count neither as good nor as valid, and nobody is alerted. The charts show them as planned downtime."
        confirm="Declare it"
        isOpen={asking}
        problem={
          from && to && from < to
            ? undefined
            : 'The end must be after the start.'
        }
        onClose={() => setAsking(false)}
        onConfirm={async reason => {
          await api.declareMaintenance({
            pathRef: path.entityRef,
            from: new Date(from).toISOString(),
            to: new Date(to).toISOString(),
            reason,
          });
          onChanged();
        }}
        done="The downtime is declared"
      >
        <TimeField label="From (your time)" value={from} onChange={setFrom} />
        <TimeField label="To" value={to} onChange={setTo} />
      </Ask>
    </>
  );
}

function Windows({
  windows,
  allowed,
  onChanged,
}: {
  windows: MaintenanceWindow[];
  allowed: boolean;
  onChanged: () => void;
}) {
  const api = useApi(criticalPathsApiRef);
  const [ending, setEnding] = useState<MaintenanceWindow>();
  const isOver = ({ to }: MaintenanceWindow) => Date.parse(to) <= Date.now();
  return (
    <>
      <ul className={styles.changes} aria-label="Planned downtime">
        {windows.map(window => (
          <li key={window.id} className={styles.change}>
            <span
              className={styles.letter}
              data-kind="maintenance"
              aria-hidden="true"
            >
              M
            </span>
            <div>
              <strong>{window.reason}</strong>
              <p className={styles.sub}>
                {formatTimestamp(window.from)} to {formatTimestamp(window.to)},
                declared by {window.createdBy}
              </p>
            </div>
            {allowed && !isOver(window) && (
              <Button
                size="small"
                variant="tertiary"
                onPress={() => setEnding(window)}
              >
                {Date.parse(window.from) > Date.now() ? 'Call off' : 'End now'}
              </Button>
            )}
          </li>
        ))}
      </ul>
      <Ask
        title="End the planned downtime"
        explanation="From now on requests count again, and the owner is alerted again."
        confirm="End it"
        isOpen={ending !== undefined}
        onClose={() => setEnding(undefined)}
        onConfirm={async reason => {
          await api.withdrawMaintenance(ending?.id ?? '', reason);
          onChanged();
        }}
        done="The downtime has ended"
      />
    </>
  );
}

/** Planned downtime of the path and, for who may, declaring it and starting budgets anew. */
export function PolicySection({
  path,
  onChanged,
}: {
  path: PathDetail;
  onChanged: () => void;
}) {
  const api = useApi(criticalPathsApiRef);
  const [resetting, setResetting] = useState(false);
  const { allowed } = usePermission({
    permission: criticalPathsPolicyManagePermission,
  });
  if (!allowed && path.maintenanceWindows.length === 0) {
    return null;
  }
  return (
    <section className={styles.section}>
      <Text as="h2" variant="title-x-small" weight="bold">
        Planned downtime and budget policy
      </Text>
      {path.maintenanceWindows.length > 0 ? (
        <Windows
          windows={path.maintenanceWindows}
          allowed={allowed}
          onChanged={onChanged}
        />
      ) : (
        <Text as="p" color="secondary">
          No downtime is planned.
        </Text>
      )}
      {allowed && (
        <div className={styles.actions}>
          <Downtime path={path} onChanged={onChanged} />
          {path.budgets.length > 0 && (
            <Button
              size="small"
              variant="secondary"
              iconStart={<RiRestartLine />}
              onPress={() => setResetting(true)}
            >
              Start the budget anew
            </Button>
          )}
        </div>
      )}
      <Ask
        title={`Start the error budgets of ${path.title} anew`}
        explanation="Failures before this minute no longer count for the budgets. The figures themselves stay, and the reset is marked on the charts. It cannot be taken back."
        confirm="Start anew"
        isOpen={resetting}
        onClose={() => setResetting(false)}
        onConfirm={async reason => {
          await api.resetBudget(path, reason);
          onChanged();
        }}
        done="The error budgets start anew"
      />
    </section>
  );
}
