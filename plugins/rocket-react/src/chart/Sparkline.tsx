import { memo, useId, useMemo } from 'react';
import { paletteClass } from '../palette';
import {
  describeSeries,
  isDrawable,
  unobservedRanges,
  valueDomain,
  type ChartPoint,
  type ChartThreshold,
} from './model';
import { Hatch } from './Hatch';
import { linearScale, sparkPaths } from './sparkPaths';
import styles from './Sparkline.module.css';

/** Props of {@link Sparkline}. */
export interface SparklineProps {
  /** What the line shows, for the text alternative. */
  label: string;
  points: ChartPoint[];
  stepSeconds: number;
  format: (value: number) => string;
  /** Width and height in pixels; the drawing scales with its box. */
  width?: number;
  height?: number;
  /** See `valueDomain`. */
  floor?: number;
  ceiling?: number;
  minSpan?: number;
  /** A line that the figures are held against, for example a goal. */
  threshold?: ChartThreshold;
  /** Draws in grey: the figures are old. */
  muted?: boolean;
}

function SparklineView(props: SparklineProps) {
  const {
    label,
    points,
    stepSeconds,
    format,
    width = 94,
    height = 24,
    floor,
    ceiling,
    minSpan = 1e-6,
    threshold,
    muted,
  } = props;
  const hatchId = useId();
  const stepMs = stepSeconds * 1000;
  const drawn = useMemo(() => {
    const series = { id: 'line', label, points };
    const times = points.map(point => point.time);
    const x = linearScale(
      [times[0] ?? 0, (times[times.length - 1] ?? 0) + stepMs],
      [0, width],
    );
    const base = height - 2;
    const y = linearScale(
      valueDomain({
        series: [series],
        thresholds: threshold ? [threshold] : [],
        floor,
        ceiling,
        minSpan,
      }),
      [base, 2],
    );
    const middle = (point: ChartPoint) => x(point.time + stepMs / 2);
    const last = points.filter(isDrawable).pop();
    return {
      x,
      y,
      gaps: unobservedRanges(points, stepMs),
      last: last && { x: middle(last), y: y(last.value) },
      paths: sparkPaths(points, middle, y, base),
      text: [describeSeries(series, format), threshold && `${threshold.label}.`]
        .filter(Boolean)
        .join(' '),
    };
  }, [
    points,
    stepMs,
    width,
    height,
    floor,
    ceiling,
    minSpan,
    label,
    format,
    threshold,
  ]);
  const { x, y, gaps, last, paths, text } = drawn;
  return (
    <svg
      className={`${paletteClass} ${styles.sparkline}`}
      data-muted={muted || undefined}
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      role="img"
      aria-label={text}
    >
      {gaps.length > 0 && <Hatch id={hatchId} />}
      {gaps.map(gap => (
        <rect
          key={gap.from}
          data-testid="gap"
          x={x(gap.from)}
          y={0}
          width={Math.max(1, x(gap.to) - x(gap.from))}
          height={height}
          fill={`url(#${hatchId})`}
        />
      ))}
      {threshold && (
        <line
          data-testid="threshold"
          x1={0}
          x2={width}
          y1={y(threshold.value)}
          y2={y(threshold.value)}
          className={styles.threshold}
        />
      )}
      {last ? (
        <>
          <path d={paths.area} className={styles.area} />
          <path d={paths.line} className={styles.line} />
          <circle cx={last.x} cy={last.y} r={2} className={styles.last} />
        </>
      ) : (
        <line
          x1={0}
          x2={width}
          y1={height / 2}
          y2={height / 2}
          className={styles.empty}
        />
      )}
    </svg>
  );
}

/** A small line without axes. Unobserved stretches are hatched; no data is a dashed line. */
export const Sparkline = memo(SparklineView);
