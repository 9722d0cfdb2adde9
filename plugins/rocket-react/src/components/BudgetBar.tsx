import { formatShare } from '../format';
import { paletteClass } from '../palette';
import styles from './BudgetBar.module.css';

/** Props of {@link BudgetBar}. */
export interface BudgetBarProps {
  /** Share of the error budget left: 1 untouched, 0 or less spent, null without data. */
  remaining: number | null;
  /** What the budget belongs to, for screen readers. */
  label: string;
  /** What to say without a budget. */
  emptyText?: string;
  /** Takes the colour away: the figures are old. */
  muted?: boolean;
}

function toneOf(remaining: number | null) {
  if (remaining === null) {
    return 'missing';
  }
  if (remaining <= 0) {
    return 'negative';
  }
  return remaining < 0.25 ? 'warning' : 'positive';
}

/** How much of an error budget is left. A spent budget is full of hatching, not an empty bar. */
export function BudgetBar(props: BudgetBarProps) {
  const { remaining, label, emptyText = 'no data', muted = false } = props;
  const tone = toneOf(remaining);
  const left = Math.min(1, Math.max(0, remaining ?? 0));
  let text = emptyText;
  if (remaining !== null) {
    text =
      remaining < 0
        ? `${formatShare(-remaining).text} over`
        : `${formatShare(remaining).text} left`;
  }
  return (
    <div
      className={`${paletteClass} ${styles.root}`}
      data-tone={tone}
      data-muted={muted || undefined}
    >
      <div
        className={styles.track}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(left * 100)}
        aria-valuetext={text}
      >
        <div className={styles.fill} style={{ width: `${left * 100}%` }} />
      </div>
      <span className={styles.text} aria-hidden="true">
        {text}
      </span>
    </div>
  );
}
