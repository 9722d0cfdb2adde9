import {
  RiAlertLine,
  RiCheckboxCircleLine,
  RiCloseCircleLine,
  RiLoader4Line,
  RiRestartLine,
  RiStopCircleLine,
} from '@remixicon/react';
import type {
  PhaseStatus,
  ServiceState,
} from '@rocket/plugin-provisioning-common';
import { paletteClass } from '@rocket/rocket-react';
import styles from './states.module.css';

type Tone = 'positive' | 'warning' | 'negative' | 'neutral';

const STATES: Record<
  ServiceState,
  { label: string; tone: Tone; Icon: typeof RiAlertLine }
> = {
  deploying: { label: 'Deploying', tone: 'neutral', Icon: RiLoader4Line },
  healthy: { label: 'Healthy', tone: 'positive', Icon: RiCheckboxCircleLine },
  unhealthy: { label: 'Unhealthy', tone: 'warning', Icon: RiAlertLine },
  restarting: { label: 'Restarting', tone: 'warning', Icon: RiRestartLine },
  stopped: { label: 'Stopped', tone: 'neutral', Icon: RiStopCircleLine },
  failed: { label: 'Failed', tone: 'negative', Icon: RiCloseCircleLine },
};

/** State of a service as icon, word and tone. `outdated`: what it was when it could last be read. */
export function ServiceStateBadge(props: {
  state: ServiceState;
  outdated?: boolean;
}) {
  const { label, tone, Icon } = STATES[props.state];
  const text = props.outdated ? `Was ${label.toLowerCase()}` : label;
  return (
    <span
      className={`${paletteClass} ${styles.badge}`}
      data-tone={props.outdated ? 'neutral' : tone}
      data-outdated={props.outdated || undefined}
    >
      <Icon size={16} aria-hidden="true" />
      <span className={styles.hidden}>State: </span>
      {text}
    </span>
  );
}

const PHASES: Record<
  PhaseStatus['status'],
  { label: string; tone: Tone; Icon?: typeof RiAlertLine }
> = {
  pending: { label: 'waiting', tone: 'neutral' },
  running: { label: 'running', tone: 'neutral', Icon: RiLoader4Line },
  done: { label: 'done', tone: 'positive', Icon: RiCheckboxCircleLine },
  failed: { label: 'failed', tone: 'negative', Icon: RiCloseCircleLine },
};

/** Icon and word of a phase. */
export function PhaseMark({ status }: { status: PhaseStatus['status'] }) {
  const { label, tone, Icon } = PHASES[status];
  return (
    <span
      className={`${paletteClass} ${styles.mark}`}
      data-tone={tone}
      data-status={status}
    >
      {Icon ? (
        <Icon size={18} aria-hidden="true" className={styles.icon} />
      ) : (
        <span className={styles.dot} aria-hidden="true" />
      )}
      {label}
    </span>
  );
}
