import { paletteClass } from '../palette';
import type { ChartSeries } from './model';
import styles from './ChartLegend.module.css';

/** The line sample of a series, as it is drawn. */
export function LineSwatch({ series }: { series: ChartSeries }) {
  return (
    <svg width={20} height={8} aria-hidden="true" className={styles.swatch}>
      <line
        x1={1}
        x2={19}
        y1={4}
        y2={4}
        stroke={series.emphasis ? 'var(--rocket-path)' : series.color}
        strokeWidth={series.emphasis ? 3 : 2}
        strokeDasharray={series.dash}
        strokeLinecap={series.dash ? 'butt' : 'round'}
      />
    </svg>
  );
}

/** Props of {@link ChartLegend}. */
export interface ChartLegendProps {
  series: ChartSeries[];
  hidden: ReadonlySet<string>;
  onChange: (hidden: ReadonlySet<string>) => void;
}

/** Names of the lines; each is a switch that hides or shows its line. */
export function ChartLegend(props: ChartLegendProps) {
  const { series, hidden, onChange } = props;
  return (
    <ul className={`${paletteClass} ${styles.legend}`} aria-label="Lines">
      {series.map(line => {
        const shown = !hidden.has(line.id);
        return (
          <li key={line.id}>
            <button
              type="button"
              className={styles.item}
              aria-pressed={shown}
              onClick={() => {
                const next = new Set(hidden);
                if (shown) {
                  next.add(line.id);
                } else {
                  next.delete(line.id);
                }
                onChange(next);
              }}
            >
              <LineSwatch series={line} />
              <span>{line.label}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
