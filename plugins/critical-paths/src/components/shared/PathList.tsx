import type { BoardRow } from '@rocket/plugin-critical-paths-common';
import { isMissing, useElementWidth } from '@rocket/rocket-react';
import { PathTitle, StateWithReason } from '../board/PathSummary';
import { SignalFigure } from './Signals';
import styles from '../entity/entity.module.css';

const WIDE = 640;

/** Props of {@link PathList}. */
export interface PathListProps {
  label: string;
  rows: BoardRow[];
  window: string;
  outdated: boolean;
}

/** Paths in short, for cards: state, uptime, error rate, latency. */
export function PathList({ label, rows, window, outdated }: PathListProps) {
  const [boxRef, width] = useElementWidth(800);
  return (
    <ul
      ref={boxRef}
      aria-label={label}
      className={`${styles.paths} ${width < WIDE ? styles.narrow : ''}`}
    >
      {rows.map(row => (
        <li key={row.entityRef} className={styles.path}>
          <div>
            <PathTitle row={row} window={window} />
          </div>
          <div>
            <StateWithReason
              state={row.state}
              reasons={row.stateReasons}
              outdated={outdated}
            />
          </div>
          {(['availability', 'errorRate', 'latency'] as const).map(figure => (
            <SignalFigure
              key={figure}
              figure={figure}
              signals={row.signals}
              series={row.sparkline}
              muted={outdated || isMissing(row.state)}
            />
          ))}
        </li>
      ))}
    </ul>
  );
}
