import type {
  OperationEvent,
  OperationKind,
  OperationState,
} from '@rocket/plugin-provisioning-common';
import type { OperationRecord, Progress } from './OperationStore';

/** Row of `operations`. */
export interface OperationRow {
  id: string;
  kind: OperationKind;
  subject: string;
  owner: string;
  environment: string | null;
  input: string;
  digest: string;
  steps: string;
  attempts: string;
  state: OperationState;
  message: string | null;
  reason: string | null;
  requested_by: string;
  requested_at: string;
  decision: string | null;
  approval_groups: string | null;
  expires_at: string | null;
  finished_at: string | null;
  cancel_by: string | null;
  notified: OperationState | null;
  lease_token: string | null;
  lease_until: string | null;
  next_attempt_at: string;
}

/** Row of `operation_events`. */
export interface EventRow {
  operation_id: string;
  at: string;
  actor: string;
  from_state: OperationState | null;
  to_state: OperationState;
  message: string | null;
}

export const progressRow = ({ steps, attempts, message }: Progress) => ({
  steps: JSON.stringify(steps),
  attempts: JSON.stringify(attempts),
  message: message ?? null,
});

const json = (value: unknown) =>
  value === undefined ? null : JSON.stringify(value);

export function toRow(record: OperationRecord): OperationRow {
  return {
    id: record.id,
    kind: record.kind,
    subject: record.subject,
    owner: record.owner,
    environment: record.environment ?? null,
    input: JSON.stringify(record.input),
    digest: record.digest,
    ...progressRow(record),
    state: record.state,
    reason: record.reason ?? null,
    requested_by: record.requestedBy,
    requested_at: record.requestedAt,
    decision: json(record.decision),
    approval_groups: json(record.approvalGroups),
    expires_at: record.expiresAt ?? null,
    finished_at: record.finishedAt ?? null,
    cancel_by: record.cancelBy ?? null,
    notified: record.notified ?? null,
    lease_token: null,
    lease_until: null,
    next_attempt_at: record.requestedAt,
  };
}

export function toRecord(row: OperationRow): OperationRecord {
  const groups: string[][] | undefined = row.approval_groups
    ? JSON.parse(row.approval_groups)
    : undefined;
  return {
    id: row.id,
    kind: row.kind,
    subject: row.subject,
    owner: row.owner,
    environment: row.environment ?? undefined,
    input: JSON.parse(row.input),
    digest: row.digest,
    steps: JSON.parse(row.steps),
    attempts: JSON.parse(row.attempts),
    state: row.state,
    message: row.message ?? undefined,
    reason: row.reason ?? undefined,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at,
    decision: row.decision ? JSON.parse(row.decision) : undefined,
    approvalGroups: groups,
    approvers: groups && [...new Set(groups.flat())],
    expiresAt: row.expires_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
    cancelBy: row.cancel_by ?? undefined,
    notified: row.notified ?? undefined,
  };
}

export function toEvent(row: EventRow): OperationEvent {
  return {
    operationId: row.operation_id,
    at: row.at,
    actor: row.actor,
    from: row.from_state ?? undefined,
    to: row.to_state,
    message: row.message ?? undefined,
  };
}
