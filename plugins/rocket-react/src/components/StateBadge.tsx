import { RiHistoryLine } from '@remixicon/react';
import { Focusable, Tooltip, TooltipTrigger } from '@backstage/ui';
import { paletteClass } from '../palette';
import { STATES, type SignalState } from '../states';
import styles from './StateBadge.module.css';

/** Props of {@link StateBadge}. */
export interface StateBadgeProps {
  state: SignalState;
  /** Why, in the tooltip and for screen readers. */
  reasons?: string[];
  /** True when the page could not be refreshed: the badge says what was, and loses its colour. */
  outdated?: boolean;
  size?: 'small' | 'medium';
}

/** A state as icon, word and tone. Only `healthy` on fresh figures is green. */
export function StateBadge(props: StateBadgeProps) {
  const { state, reasons = [], outdated = false, size = 'small' } = props;
  const info = STATES[state];
  const Icon = outdated ? RiHistoryLine : info.Icon;
  const tone = outdated ? 'missing' : info.tone;
  const label = outdated ? `Was ${info.label.toLowerCase()}` : info.label;
  return (
    <TooltipTrigger delay={300}>
      <Focusable>
        <span
          role="note"
          // Focusable adds the tab stop, so that the reason can be read with the keyboard.
          className={`${paletteClass} ${styles.badge}`}
          data-tone={tone}
          data-state={state}
          data-size={size}
          aria-label={[`State: ${label}`, ...reasons].join('. ')}
        >
          <Icon size={size === 'small' ? 14 : 16} className={styles.icon} />
          {label}
        </span>
      </Focusable>
      <Tooltip>
        <span className={styles.tooltip}>
          <span>{info.meaning}</span>
          {reasons.map(reason => (
            <span key={reason}>{reason}</span>
          ))}
        </span>
      </Tooltip>
    </TooltipTrigger>
  );
}
