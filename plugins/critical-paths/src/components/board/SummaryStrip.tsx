import type { PathState } from '@rocket/plugin-critical-paths-common';
import { paletteClass, STATES, STATES_BY_RANK } from '@rocket/rocket-react';
import styles from './SummaryStrip.module.css';

/** Props of {@link SummaryStrip}. */
export interface SummaryStripProps {
  counts: Record<PathState, number>;
  selected: PathState[];
  outdated: boolean;
  onChange: (selected: PathState[]) => void;
}

/** How many paths are in each state; each number is a filter. States that nobody is in are left out. */
export function SummaryStrip(props: SummaryStripProps) {
  const { counts, selected, outdated, onChange } = props;
  const shown = STATES_BY_RANK.filter(
    state => counts[state] > 0 || selected.includes(state),
  );
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return (
    <div
      className={`${paletteClass} ${styles.strip}`}
      role="group"
      aria-label="Paths per state"
    >
      <button
        type="button"
        className={styles.tile}
        data-tone="neutral"
        aria-pressed={selected.length === 0}
        onClick={() => onChange([])}
      >
        <span className={styles.count}>{total}</span>{' '}
        <span className={styles.label}>All paths</span>
      </button>
      {shown.map(state => {
        const { Icon, label, meaning, tone } = STATES[state];
        const pressed = selected.includes(state);
        return (
          <button
            key={state}
            type="button"
            className={styles.tile}
            data-tone={outdated ? 'missing' : tone}
            title={meaning}
            aria-pressed={pressed}
            onClick={() =>
              onChange(
                pressed
                  ? selected.filter(other => other !== state)
                  : [...selected, state],
              )
            }
          >
            <span className={styles.count}>{counts[state]}</span>{' '}
            <span className={styles.label}>
              <Icon size={14} />
              {label}
            </span>
          </button>
        );
      })}
    </div>
  );
}
