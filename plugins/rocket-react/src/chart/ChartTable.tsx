import { useState } from 'react';
import { formatPointTime } from '../format';
import { ScrollRegion } from '../components/ScrollRegion';
import { readPoint, type ChartSeries } from './model';
import styles from './ChartTable.module.css';

interface ChartTableProps {
  title: string;
  series: ChartSeries[];
  times: number[];
  stepSeconds: number;
  format: (value: number) => string;
}

/** The figures of a chart as a table, newest first; built only when it is opened. */
export function ChartTable(props: ChartTableProps) {
  const { title, series, times, stepSeconds, format } = props;
  const [open, setOpen] = useState(false);
  return (
    <details
      className={styles.details}
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary className={styles.summary}>Show as table</summary>
      {open && (
        <ScrollRegion label={title} className={styles.box}>
          <table className={styles.table}>
            <caption className={styles.caption}>{title}</caption>
            <thead>
              <tr>
                <th scope="col">From</th>
                {series.map(line => (
                  <th key={line.id} scope="col">
                    {line.label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {[...times].reverse().map(time => (
                <tr key={time}>
                  <th scope="row">{formatPointTime(time, stepSeconds)}</th>
                  {series.map(line => (
                    <td key={line.id}>
                      {readPoint(
                        line.points.find(point => point.time === time),
                        format,
                      )}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </details>
  );
}
