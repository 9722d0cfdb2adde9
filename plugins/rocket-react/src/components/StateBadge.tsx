import { VisuallyHidden } from '@backstage/ui';
import { RiHistoryLine } from '@remixicon/react';
import { paletteClass } from '../palette';
import { STATES, type SignalState } from '../states';
import styles from './StateBadge.module.css';

/** Props of {@link StateBadge}. */
export interface StateBadgeProps {
  state: SignalState;
  /** Why; read to screen readers and shown on hovering. */
  reasons?: string[];
  /** True when the page could not be refreshed: the badge says what was, and loses its colour. */
  outdated?: boolean;
  size?: 'small' | 'medium';
}

const JUDGED: ReadonlySet<SignalState> = new Set<SignalState>([
  'healthy',
  'at-risk',
  'exhausted',
]);

/** A state as icon, word and tone. Only `healthy` on fresh figures is green. */
export function StateBadge(props: StateBadgeProps) {
  const { state, reasons = [], outdated = false, size = 'small' } = props;
  const info = STATES[state];
  // What was not known then cannot be said to have been.
  const past = outdated && JUDGED.has(state);
  const Icon = past ? RiHistoryLine : info.Icon;
  return (
    <span
      className={`${paletteClass} ${styles.badge}`}
      data-tone={outdated ? 'missing' : info.tone}
      data-state={state}
      data-size={size}
      title={[info.meaning, ...reasons].join('\n')}
    >
      <Icon size={size === 'small' ? 14 : 16} className={styles.icon} />
      <VisuallyHidden>State: </VisuallyHidden>
      {past ? `Was ${info.label.toLowerCase()}` : info.label}
      {reasons.length > 0 && (
        <VisuallyHidden>: {reasons.join('; ')}</VisuallyHidden>
      )}
    </span>
  );
}
