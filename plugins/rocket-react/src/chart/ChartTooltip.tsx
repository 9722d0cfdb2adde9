import type { ChartPoint, ChartSeries } from './model';
import { LineSwatch } from './ChartLegend';
import styles from './ChartTooltip.module.css';

interface ChartTooltipProps {
  time: string;
  rows: { line: ChartSeries; point?: ChartPoint; text: string }[];
  /** Place of the crosshair and width of the chart, pixels. */
  x: number;
  width: number;
}

/** Figures under the crosshair. The slider says the same to screen readers. */
export function ChartTooltip({ time, rows, x, width }: ChartTooltipProps) {
  const onTheRight = x < width / 2;
  return (
    <div
      className={styles.tooltip}
      aria-hidden="true"
      data-testid="chart-tooltip"
      style={onTheRight ? { left: x + 12 } : { right: width - x + 12 }}
    >
      <div className={styles.time}>{time}</div>
      <table className={styles.rows}>
        <tbody>
          {rows.map(({ line, text }) => (
            <tr
              key={line.id}
              className={line.emphasis ? styles.emphasis : undefined}
            >
              <td>
                <LineSwatch series={line} />
              </td>
              <td className={styles.label}>{line.label}</td>
              <td className={styles.figure}>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
