import type {
  WorkflowRunStatus,
  WorkflowStepEvidence,
  WorkflowView,
} from '@rocket/plugin-critical-paths-common';
import {
  RiCheckLine,
  RiCloseLine,
  RiHistoryLine,
  RiLoader4Line,
  RiProhibitedLine,
  RiSubtractLine,
} from '@remixicon/react';
import { VisuallyHidden } from '@backstage/ui';
import { paletteClass } from '@rocket/rocket-react';
import styles from './Workflow.module.css';

type Status =
  | WorkflowView['status']
  | WorkflowRunStatus
  | WorkflowStepEvidence['status'];

const LOOKS: Record<
  Status,
  {
    label: string;
    tone: 'positive' | 'negative' | 'missing' | 'neutral';
    Icon: typeof RiCheckLine;
  }
> = {
  passed: { label: 'Completed', tone: 'positive', Icon: RiCheckLine },
  failed: { label: 'Failed', tone: 'negative', Icon: RiCloseLine },
  stale: { label: 'Stale', tone: 'missing', Icon: RiHistoryLine },
  'not-run': { label: 'Not run', tone: 'missing', Icon: RiProhibitedLine },
  running: { label: 'Running', tone: 'neutral', Icon: RiLoader4Line },
  aborted: { label: 'Aborted', tone: 'missing', Icon: RiProhibitedLine },
  'not-reached': {
    label: 'Not reached',
    tone: 'missing',
    Icon: RiSubtractLine,
  },
};

/** How a status of a workflow, run or step looks. */
export function lookOf(status: Status, outdated = false) {
  const look = LOOKS[status];
  return outdated ? { ...look, tone: 'missing' as const } : look;
}

/** A status as icon, word and tone. */
export function StatusLabel({
  status,
  outdated = false,
}: {
  status: Status;
  /** The page could not be refreshed: the colour goes. */
  outdated?: boolean;
}) {
  const { label, tone, Icon } = lookOf(status, outdated);
  return (
    <span className={`${paletteClass} ${styles.status}`} data-tone={tone}>
      <Icon size={14} aria-hidden />
      <VisuallyHidden>Status: </VisuallyHidden>
      {label}
    </span>
  );
}
