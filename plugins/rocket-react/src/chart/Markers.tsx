import type { scaleTime } from '@visx/scale';
import { MARKER_LETTERS, markersWithin, type ChartMarker } from './model';
import styles from './TimeSeriesChart.module.css';

interface MarkersProps {
  markers: ChartMarker[];
  x: ReturnType<typeof scaleTime<number>>;
  height: number;
}

const FLAG = 14;

/** Lines and bands at what happened, each with the letter of its kind. */
export function Markers({ markers, x, height }: MarkersProps) {
  const [from, to] = x.domain().map(date => date.getTime());
  return (
    <g data-testid="markers">
      {markersWithin(markers, from, to).map(marker => {
        const at = x(marker.start);
        const width =
          marker.end === undefined ? 0 : Math.max(1, x(marker.end) - at);
        return (
          <g key={`${marker.kind}-${marker.id}`} data-kind={marker.kind}>
            <title>{marker.label}</title>
            {width > 0 && (
              <rect
                x={at}
                y={0}
                width={width}
                height={height}
                className={styles.band}
              />
            )}
            <line
              x1={at}
              x2={at}
              y1={FLAG}
              y2={height}
              className={styles.marker}
            />
            <rect
              x={at - FLAG / 2}
              y={0}
              width={FLAG}
              height={FLAG}
              rx={marker.kind === 'incident' ? FLAG / 2 : 3}
              className={styles.flag}
            />
            <text
              x={at}
              y={FLAG / 2}
              dy="0.36em"
              textAnchor="middle"
              className={styles.letter}
            >
              {MARKER_LETTERS[marker.kind]}
            </text>
          </g>
        );
      })}
    </g>
  );
}
