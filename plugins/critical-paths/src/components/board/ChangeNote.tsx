import type { BoardSignal } from '@rocket/plugin-critical-paths-common';
import { RiArrowDownLine, RiArrowUpLine } from '@remixicon/react';
import { paletteClass } from '@rocket/rocket-react';
import { changeOf, SIGNALS } from '../../lib/signalBoard';
import styles from './SignalBoard.module.css';

/** Props of {@link ChangeNote}. */
export interface ChangeNoteProps {
  signal: BoardSignal;
  value: number | null;
  previous: number | null;
  muted?: boolean;
}

/** A figure against the window before: how much, in which direction, and whether that is better. */
export function ChangeNote(props: ChangeNoteProps) {
  const { signal, value, previous, muted } = props;
  const before = SIGNALS[signal].format(previous);
  const change = changeOf(signal, value, previous);
  if (!change) {
    return (
      <span className={`${paletteClass} ${styles.change}`}>
        {before.hasData ? `was ${before.text}` : 'no data before'}
      </span>
    );
  }
  const Icon = change.direction === 'up' ? RiArrowUpLine : RiArrowDownLine;
  return (
    <span
      className={`${paletteClass} ${styles.change}`}
      data-verdict={change.verdict}
      data-muted={muted || undefined}
    >
      <span className={styles.amount}>
        {change.direction !== 'same' && <Icon size={14} aria-hidden="true" />}
        {change.text}
        {change.verdict !== 'neutral' && `, ${change.verdict}`}
      </span>
      <span className={styles.before}>was {before.text}</span>
    </span>
  );
}
