import { useId } from 'react';
import { AxisBottom, AxisLeft } from '@visx/axis';
import { GridRows } from '@visx/grid';
import { Group } from '@visx/group';
import type { scaleLinear, scaleTime } from '@visx/scale';
import { AreaClosed, Line, LinePath } from '@visx/shape';
import {
  isDrawable,
  type ChartMarker,
  type ChartPoint,
  type ChartSeries,
  type ChartThreshold,
  type TimeRange,
} from './model';
import { Hatch } from './Hatch';
import { Markers } from './Markers';
import styles from './TimeSeriesChart.module.css';

/** Room for the axes around the plot, pixels. */
export const PLOT_MARGIN = { top: 10, right: 12, bottom: 26, left: 62 };

const CLOCK_SPAN_MS = 36 * 3_600_000;

type TimeScale = ReturnType<typeof scaleTime<number>>;
type ValueScale = ReturnType<typeof scaleLinear<number>>;

interface ChartPlotProps {
  alternative: string;
  height: number;
  innerWidth: number;
  innerHeight: number;
  x: TimeScale;
  y: ValueScale;
  lines: ChartSeries[];
  gaps: TimeRange[];
  thresholds: ChartThreshold[];
  markers: ChartMarker[];
  stepMs: number;
  /** Time under the crosshair and what the lines say there. */
  cursorTime: number | null;
  rows: { line: ChartSeries; point?: ChartPoint }[];
  format: (value: number) => string;
}

function tickTime(x: TimeScale) {
  const [from, to] = x.domain();
  const short = to.getTime() - from.getTime() <= CLOCK_SPAN_MS;
  return (value: Date | number | { valueOf(): number }) => {
    const date = new Date(value.valueOf());
    return short
      ? date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
      : date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  };
}

/** The drawing of a chart: grid, gaps, lines, thresholds, crosshair and axes. */
export function ChartPlot(props: ChartPlotProps) {
  const { alternative, height, innerWidth, innerHeight, x, y, lines } = props;
  const { gaps, thresholds, markers, stepMs, cursorTime, rows, format } = props;
  const hatchId = useId();
  const getX = (point: ChartPoint) => x(point.time + stepMs / 2);
  const getY = (point: ChartPoint) => y(point.value ?? 0);
  return (
    <svg
      width="100%"
      height={height}
      role="img"
      aria-label={alternative}
      className={styles.svg}
    >
      <Hatch id={hatchId} />
      <Group left={PLOT_MARGIN.left} top={PLOT_MARGIN.top}>
        <GridRows
          scale={y}
          width={innerWidth}
          numTicks={4}
          stroke="var(--rocket-grid)"
        />
        {gaps.map(gap => (
          <rect
            key={gap.from}
            data-testid="gap"
            x={x(gap.from)}
            y={0}
            width={Math.max(2, x(gap.to) - x(gap.from))}
            height={innerHeight}
            fill={`url(#${hatchId})`}
          />
        ))}
        <Markers markers={markers} x={x} height={innerHeight} />
        {lines
          .filter(line => !line.emphasis)
          .map(line => (
            <LinePath
              key={line.id}
              data={line.points}
              x={getX}
              y={getY}
              defined={isDrawable}
              className={styles.line}
              stroke={line.color}
              strokeDasharray={line.dash}
            />
          ))}
        {lines
          .filter(line => line.emphasis)
          .map(line => (
            <g key={line.id}>
              <AreaClosed
                data={line.points}
                x={getX}
                y={getY}
                yScale={y}
                defined={isDrawable}
                className={styles.area}
              />
              <LinePath
                data={line.points}
                x={getX}
                y={getY}
                defined={isDrawable}
                className={styles.emphasis}
              />
            </g>
          ))}
        {thresholds.map(threshold => {
          const at = y(threshold.value);
          return (
            <g key={threshold.label}>
              <Line
                from={{ x: 0, y: at }}
                to={{ x: innerWidth, y: at }}
                className={styles.threshold}
              />
              <text
                x={innerWidth - 4}
                y={at < 16 ? at + 13 : at - 5}
                textAnchor="end"
                className={styles.thresholdLabel}
              >
                {threshold.label}
              </text>
            </g>
          );
        })}
        {cursorTime !== null && (
          <g data-testid="crosshair">
            <Line
              from={{ x: x(cursorTime + stepMs / 2), y: 0 }}
              to={{ x: x(cursorTime + stepMs / 2), y: innerHeight }}
              className={styles.crosshair}
            />
            {rows.map(
              ({ line, point }) =>
                point &&
                isDrawable(point) && (
                  <circle
                    key={line.id}
                    cx={getX(point)}
                    cy={getY(point)}
                    r={line.emphasis ? 4 : 3}
                    className={styles.dot}
                    fill={line.emphasis ? 'var(--rocket-path)' : line.color}
                  />
                ),
            )}
          </g>
        )}
        <AxisLeft
          scale={y}
          numTicks={4}
          hideAxisLine
          hideTicks
          tickFormat={value => format(Number(value))}
          tickLabelProps={() => ({
            className: styles.tick,
            dx: -2,
            dy: '0.33em',
            textAnchor: 'end',
          })}
        />
        <AxisBottom
          scale={x}
          top={innerHeight}
          numTicks={Math.max(2, Math.floor(innerWidth / 90))}
          stroke="var(--rocket-grid)"
          tickStroke="var(--rocket-grid)"
          tickLength={5}
          tickFormat={tickTime(x)}
          tickLabelProps={() => ({
            className: styles.tick,
            textAnchor: 'middle',
            dy: '0.2em',
          })}
        />
      </Group>
    </svg>
  );
}
