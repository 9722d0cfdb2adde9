import { useId, useMemo, useState, type KeyboardEvent } from 'react';
import { localPoint } from '@visx/event';
import { scaleLinear, scaleTime } from '@visx/scale';
import { useElementWidth } from '../hooks/useElementWidth';
import { paletteClass } from '../palette';
import { formatPointTime } from '../format';
import {
  describeSeries,
  isDrawable,
  markersWithin,
  nearestIndex,
  readPoint,
  timesOf,
  unobservedRanges,
  valueDomain,
  type ChartMarker,
  type ChartSeries,
  type ChartThreshold,
} from './model';
import { ChartPlot, PLOT_MARGIN } from './ChartPlot';
import { ChartLegend } from './ChartLegend';
import { ChartTable } from './ChartTable';
import { ChartTooltip } from './ChartTooltip';
import styles from './TimeSeriesChart.module.css';

/** Props of {@link TimeSeriesChart}. */
export interface TimeSeriesChartProps {
  /** What the chart shows; begins the text alternative. */
  title: string;
  series: ChartSeries[];
  /** Length of an interval in seconds. */
  stepSeconds: number;
  format: (value: number) => string;
  /** Ends of the time axis, milliseconds; default: what the points cover. */
  from?: number;
  to?: number;
  thresholds?: ChartThreshold[];
  /** What happened: deployments, incidents and the like. */
  markers?: ChartMarker[];
  /** See `valueDomain`. */
  floor?: number;
  ceiling?: number;
  minSpan?: number;
  height?: number;
  /** Ids of lines that are switched off. With `onHiddenChange` the caller keeps them. */
  hidden?: ReadonlySet<string>;
  onHiddenChange?: (hidden: ReadonlySet<string>) => void;
  /** Set to false when a legend for several charts stands elsewhere. */
  legend?: boolean;
  /** Time under the crosshair, shared between charts. With `onCursorChange` the caller keeps it. */
  cursor?: number | null;
  onCursorChange?: (time: number | null) => void;
}

/**
 * Lines over time with axes, a crosshair that follows mouse and keyboard,
 * thresholds, a legend that switches lines, and the same figures as a table.
 */
export function TimeSeriesChart(props: TimeSeriesChartProps) {
  const {
    title,
    series,
    stepSeconds,
    format,
    thresholds = [],
    markers = [],
    floor,
    ceiling,
    minSpan = 1e-6,
    height = 220,
    legend = true,
  } = props;
  const [ownHidden, setOwnHidden] = useState<ReadonlySet<string>>(new Set());
  const [ownCursor, setOwnCursor] = useState<number | null>(null);
  const [active, setActive] = useState(false);
  const hidden = props.hidden ?? ownHidden;
  const cursor = props.cursor === undefined ? ownCursor : props.cursor;
  const setHidden = props.onHiddenChange ?? setOwnHidden;
  const setCursor = props.onCursorChange ?? setOwnCursor;
  const [boxRef, width] = useElementWidth(640);
  const helpId = useId();
  const stepMs = stepSeconds * 1000;

  const visible = useMemo(
    () => series.filter(line => !hidden.has(line.id)),
    [series, hidden],
  );
  const times = useMemo(() => timesOf(series), [series]);
  const main = series.find(line => line.emphasis) ?? series[0];
  const gaps = useMemo(
    () => unobservedRanges(main?.points ?? [], stepMs),
    [main, stepMs],
  );
  const byTime = useMemo(
    () =>
      new Map(
        series.map(line => [
          line.id,
          new Map(line.points.map(point => [point.time, point])),
        ]),
      ),
    [series],
  );

  const innerWidth = Math.max(40, width - PLOT_MARGIN.left - PLOT_MARGIN.right);
  const innerHeight = height - PLOT_MARGIN.top - PLOT_MARGIN.bottom;
  const from = props.from ?? times[0] ?? 0;
  const to = props.to ?? (times[times.length - 1] ?? 0) + stepMs;
  const x = scaleTime<number>({ domain: [from, to], range: [0, innerWidth] });
  const y = scaleLinear<number>({
    domain: valueDomain({
      series: visible,
      thresholds,
      floor,
      ceiling,
      minSpan,
    }),
    range: [innerHeight, 0],
  });

  const index = cursor === null ? -1 : nearestIndex(times, cursor);
  const cursorTime = index < 0 ? null : times[index];
  const rows =
    cursorTime === null
      ? []
      : visible.map(line => ({
          line,
          point: byTime.get(line.id)?.get(cursorTime),
          text: readPoint(byTime.get(line.id)?.get(cursorTime), format),
        }));
  const readout =
    cursorTime === null
      ? 'Use the arrow keys to read the chart'
      : `${formatPointTime(cursorTime, stepSeconds)}: ${rows
          .map(row => `${row.line.label} ${row.text}`)
          .join(', ')}`;
  const alternative = [
    title,
    ...thresholds.map(threshold => `Line at ${threshold.label}.`),
    ...visible.map(line => describeSeries(line, format)),
    ...markersWithin(markers, from, to).map(
      ({ label, start }) => `${formatPointTime(start, 60)}: ${label}.`,
    ),
  ].join(' ');
  const empty = !series.some(line => line.points.some(isDrawable));

  const moveTo = (next: number) => {
    if (times.length > 0) {
      setActive(true);
      setCursor(times[Math.min(times.length - 1, Math.max(0, next))]);
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const start = index < 0 ? times.length : index;
    const page = Math.max(2, Math.round(times.length / 10));
    const target: Record<string, number> = {
      ArrowLeft: start - 1,
      ArrowDown: start - 1,
      ArrowRight: start + 1,
      ArrowUp: start + 1,
      PageDown: start - page,
      PageUp: start + page,
      Home: 0,
      End: times.length - 1,
    };
    if (event.key === 'Escape') {
      setActive(false);
      setCursor(null);
    } else if (event.key in target) {
      event.preventDefault();
      moveTo(target[event.key]);
    }
  };

  return (
    <figure className={`${paletteClass} ${styles.figure}`} aria-label={title}>
      <div ref={boxRef} className={styles.box} style={{ height }}>
        <ChartPlot
          alternative={alternative}
          height={height}
          innerWidth={innerWidth}
          innerHeight={innerHeight}
          x={x}
          y={y}
          lines={visible}
          gaps={gaps}
          thresholds={thresholds}
          markers={markers}
          stepMs={stepMs}
          cursorTime={cursorTime}
          rows={rows}
          format={format}
        />
        {empty && (
          <div className={styles.empty}>
            <span>No data in this window</span>
          </div>
        )}
        <div
          className={styles.reader}
          style={{
            left: PLOT_MARGIN.left,
            top: PLOT_MARGIN.top,
            width: innerWidth,
            height: innerHeight,
          }}
          role="slider"
          tabIndex={0}
          aria-label={`Read ${title}`}
          aria-describedby={helpId}
          aria-valuemin={0}
          aria-valuemax={Math.max(0, times.length - 1)}
          aria-valuenow={Math.max(0, index)}
          aria-valuetext={readout}
          onKeyDown={onKeyDown}
          onFocus={() => setActive(true)}
          onBlur={() => {
            setActive(false);
            setCursor(null);
          }}
          onPointerMove={event => {
            const at = localPoint(event.currentTarget, event);
            if (at) {
              setActive(true);
              setCursor(x.invert(at.x).getTime() - stepMs / 2);
            }
          }}
          onPointerLeave={() => {
            setActive(false);
            setCursor(null);
          }}
        />
        <span id={helpId} hidden>
          Arrow keys move in time, Home and End jump to the ends, Escape leaves.
        </span>
        {active && cursorTime !== null && (
          <ChartTooltip
            time={formatPointTime(cursorTime, stepSeconds)}
            rows={rows}
            x={PLOT_MARGIN.left + x(cursorTime + stepMs / 2)}
            width={width}
          />
        )}
      </div>
      {legend && series.length > 1 && (
        <ChartLegend series={series} hidden={hidden} onChange={setHidden} />
      )}
      <ChartTable
        title={title}
        series={visible}
        times={times}
        stepSeconds={stepSeconds}
        format={format}
      />
    </figure>
  );
}
