import { useMemo } from 'react';
import type { Series, Signals } from '@rocket/plugin-critical-paths-common';
import { SignalValue, Sparkline } from '@rocket/rocket-react';
import { FIGURES, figureOf, pointsOf, type Figure } from '../../lib/figures';
import styles from './Signals.module.css';

/** Props of {@link SignalFigure}. */
export interface SignalFigureProps {
  figure: Figure;
  signals: Signals;
  series: Series;
  /** Draws in grey: the figures are old. */
  muted?: boolean;
  /** Leaves the name of the figure out, where a column says it. */
  hideLabel?: boolean;
}

/** One signal: its figure over the window and a sparkline. Latency shows p95 and p99. */
export function SignalFigure(props: SignalFigureProps) {
  const { figure, signals, series, muted, hideLabel } = props;
  const info = FIGURES[figure];
  const points = useMemo(() => pointsOf(series, figure), [series, figure]);
  const value = figureOf(signals, figure);
  return (
    <div className={styles.signal}>
      {!hideLabel && <span className={styles.label}>{info.label}</span>}
      <span className={styles.figures}>
        {figure === 'latency' && value.hasData ? (
          <>
            <SignalValue figure={value} />
            <span className={styles.slash} aria-hidden="true">
              /
            </span>
            <SignalValue figure={figureOf(signals, 'latency', 'p99')} />
          </>
        ) : (
          <SignalValue figure={value} />
        )}
      </span>
      <Sparkline
        label={figure === 'latency' ? 'Latency, p95' : info.label}
        points={points}
        stepSeconds={series.stepSeconds}
        format={info.text}
        floor={info.floor}
        ceiling={info.ceiling}
        minSpan={info.minSpan}
        muted={muted}
      />
    </div>
  );
}

/** All four signals side by side, for cards. */
export function SignalGrid(props: Omit<SignalFigureProps, 'figure'>) {
  return (
    <div className={styles.grid}>
      {(Object.keys(FIGURES) as Figure[]).map(figure => (
        <SignalFigure key={figure} {...props} figure={figure} />
      ))}
    </div>
  );
}
