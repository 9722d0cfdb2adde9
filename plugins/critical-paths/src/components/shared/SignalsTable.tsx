import type { ReactNode } from 'react';
import type {
  DataStatus,
  PathState,
  Series,
  Signals,
} from '@rocket/plugin-critical-paths-common';
import {
  DataAge,
  isMissing,
  ScrollRegion,
  useElementWidth,
  tableStyles as styles,
} from '@rocket/rocket-react';
import { FIGURES, type Figure } from '../../lib/figures';
import { StateWithReason } from '../board/PathSummary';
import { SignalFigure, SignalGrid } from './Signals';

const TABLE_MIN_WIDTH = 820;
const HINTS: Record<Figure, string> = {
  availability: 'good ÷ valid',
  throughput: 'valid requests',
  errorRate: 'failed ÷ valid',
  latency: 'p95 / p99',
};

/** A subject with its four signals: an application of a path, or a path of an application. */
export interface SignalsRow {
  id: string;
  title: ReactNode;
  /** Below the title. */
  note?: ReactNode;
  /** Further texts, one for each of the table's extra columns. */
  extra: ReactNode[];
  state: PathState;
  stateReasons: string[];
  signals: Signals;
  series: Series;
  data: DataStatus;
  /** Links onward. */
  actions?: ReactNode;
}

/** Props of {@link SignalsTable}. */
export interface SignalsTableProps {
  label: string;
  subject: string;
  extraColumns: string[];
  rows: SignalsRow[];
  receivedAt: number;
  outdated: boolean;
  busy: boolean;
}

/** Subjects with their four signals: a table where there is room, cards where not. */
export function SignalsTable(props: SignalsTableProps) {
  const { label, subject, extraColumns, rows, receivedAt, outdated, busy } =
    props;
  const [boxRef, width] = useElementWidth(1200);
  const age = (row: SignalsRow) => (
    <DataAge
      ageSeconds={row.data.ageSeconds}
      receivedAt={receivedAt}
      at={row.data.watermark}
      late={row.state === 'stale'}
    />
  );
  const state = (row: SignalsRow) => (
    <StateWithReason
      state={row.state}
      reasons={row.stateReasons}
      outdated={outdated}
    />
  );
  const isMuted = (row: SignalsRow) => outdated || isMissing(row.state);

  if (width < TABLE_MIN_WIDTH) {
    return (
      <ul
        ref={boxRef}
        className={styles.cards}
        aria-label={label}
        aria-busy={busy}
      >
        {rows.map(row => (
          <li key={row.id} className={styles.card}>
            <div className={styles.cardHead}>
              <div>
                <span className={styles.title}>{row.title}</span>
                {row.note && <span className={styles.sub}>{row.note}</span>}
                {row.extra.map((text, index) => (
                  <span key={extraColumns[index]} className={styles.sub}>
                    {extraColumns[index]}: {text}
                  </span>
                ))}
              </div>
              <div>{state(row)}</div>
            </div>
            <SignalGrid
              signals={row.signals}
              series={row.series}
              muted={isMuted(row)}
            />
            <div className={styles.cardFoot}>
              {age(row)}
              {row.actions}
            </div>
          </li>
        ))}
      </ul>
    );
  }
  return (
    <ScrollRegion ref={boxRef} label={label} className={styles.box}>
      <table className={styles.table} aria-busy={busy}>
        <caption className={styles.caption}>{label}</caption>
        <thead>
          <tr>
            <th scope="col">{subject}</th>
            {extraColumns.map(column => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
            <th scope="col">State</th>
            {(Object.keys(FIGURES) as Figure[]).map(figure => (
              <th key={figure} scope="col">
                {FIGURES[figure].label}
                <span className={styles.hint}>{HINTS[figure]}</span>
              </th>
            ))}
            <th scope="col">
              Data
              <span className={styles.hint}>age</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={row.id}>
              <th scope="row">
                <span className={styles.title}>{row.title}</span>
                {row.note && <span className={styles.sub}>{row.note}</span>}
                {row.actions && (
                  <span className={styles.sub}>{row.actions}</span>
                )}
              </th>
              {row.extra.map((text, index) => (
                <td key={extraColumns[index]}>{text}</td>
              ))}
              <td>{state(row)}</td>
              {(Object.keys(FIGURES) as Figure[]).map(figure => (
                <td key={figure}>
                  <SignalFigure
                    figure={figure}
                    signals={row.signals}
                    series={row.series}
                    muted={isMuted(row)}
                    hideLabel
                  />
                </td>
              ))}
              <td>{age(row)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}
