import { memo, useMemo } from 'react';
import type {
  BoardSignal,
  SignalBoardRow,
} from '@rocket/plugin-critical-paths-common';
import { Text } from '@backstage/ui';
import {
  DataAge,
  formatTimestamp,
  isMissing,
  paletteClass,
  ScrollRegion,
  SignalValue,
  Sparkline,
  tableStyles as styles,
} from '@rocket/rocket-react';
import { RiArrowDownSLine, RiArrowUpSLine } from '@remixicon/react';
import { countStates, filterRows } from '../../lib/boardView';
import { FIGURES, pointsOf } from '../../lib/figures';
import {
  groupByModel,
  SIGNALS,
  sortSignalRows,
  type SignalSortKey,
} from '../../lib/signalBoard';
import { useGrowingRows } from '../../lib/useGrowingRows';
import { useSignalBoard } from '../../query/hooks';
import { EntityName } from '../shared/EntityName';
import { describeWindow } from '../shared/WindowPicker';
import { BoardFrame, StateMeanings, type BoardProps } from './BoardFrame';
import { ChangeNote } from './ChangeNote';
import { PathTitle, StateWithReason } from './PathSummary';
import own from './SignalBoard.module.css';

type Sort = { key: SignalSortKey; descending: boolean };

const COLUMNS: { key: SignalSortKey; label: (signal: string) => string }[] = [
  { key: 'path', label: () => 'Critical path' },
  { key: 'worst', label: () => 'State' },
  { key: 'value', label: signal => signal },
  { key: 'change', label: () => 'Window before' },
];

interface RowProps {
  row: SignalBoardRow;
  signal: BoardSignal;
  window: string;
  receivedAt: number;
  outdated: boolean;
  grouped: boolean;
}

function Met({ row, signal }: Pick<RowProps, 'row' | 'signal'>) {
  if (row.target === null) {
    return <span className={styles.sub}>no objective</span>;
  }
  const target = SIGNALS[signal].format(row.target).text;
  const words = { true: 'met', false: 'missed', null: 'no data to judge' };
  return (
    <>
      {signal === 'uptime' || signal === 'throughput' ? '≥' : '≤'} {target}
      <span
        className={`${paletteClass} ${own.verdict}`}
        data-met={String(row.met)}
      >
        {words[String(row.met) as keyof typeof words]}
      </span>
    </>
  );
}

const Row = memo((props: RowProps) => {
  const { row, signal, window, receivedAt, outdated, grouped } = props;
  const { format, figure } = SIGNALS[signal];
  const info = FIGURES[figure];
  const points = useMemo(
    () => pointsOf(row.sparkline, figure),
    [row.sparkline, figure],
  );
  const isMuted = outdated || isMissing(row.state);
  return (
    <tr>
      <th scope="row">
        <PathTitle row={row} window={window}>
          {!grouped && (
            <>
              <EntityName entityRef={row.businessModel} /> ·{' '}
            </>
          )}
          <EntityName entityRef={row.owner} />
        </PathTitle>
      </th>
      <td>
        <StateWithReason
          state={row.state}
          reasons={row.stateReasons}
          outdated={outdated}
        />
      </td>
      <td className={own.value}>
        <SignalValue figure={format(row.value)} />
        {row.valid > 0 && (
          <span className={styles.sub}>
            of {row.valid.toLocaleString('en-US')} requests
          </span>
        )}
      </td>
      <td>
        <ChangeNote
          signal={signal}
          value={row.value}
          previous={row.previous}
          muted={isMuted}
        />
      </td>
      <td>
        <Met row={row} signal={signal} />
      </td>
      <td className={own.line}>
        <Sparkline
          label={signal === 'latency' ? 'Latency, p95' : info.label}
          points={points}
          stepSeconds={row.sparkline.stepSeconds}
          format={info.text}
          floor={info.floor}
          ceiling={info.ceiling}
          minSpan={info.minSpan}
          width={240}
          height={36}
          muted={isMuted}
        />
      </td>
      <td>
        <DataAge
          ageSeconds={row.ageSeconds}
          receivedAt={receivedAt}
          at={null}
          late={row.state === 'stale'}
        />
      </td>
    </tr>
  );
});

/** All paths by one signal, by business model unless they are sorted. */
export function SignalBoard(props: BoardProps & { signal: BoardSignal }) {
  const { signal, view, onChange } = props;
  const reading = useSignalBoard(signal, view.window);
  const { data, receivedAt, outdated, switching } = reading;
  const info = SIGNALS[signal];
  const sort: Sort = view.signalSort;
  const grouped = sort.key === 'worst';
  const all = useMemo(() => data?.rows ?? [], [data]);
  const rows = useMemo(
    () => sortSignalRows(filterRows(all, view), signal, sort),
    [all, view, signal, sort],
  );
  const refs = useMemo(() => rows.map(row => row.entityRef), [rows]);
  const counts = useMemo(
    () => countStates(filterRows(all, view, { ignoreStates: true })),
    [all, view],
  );
  const { shown } = useGrowingRows(rows);
  const groups = grouped
    ? groupByModel(shown)
    : [{ businessModel: '', rows: shown }];
  const press = (key: SignalSortKey) =>
    onChange({
      signalSort: {
        key,
        descending: sort.key === key ? !sort.descending : false,
      },
    });
  return (
    <BoardFrame
      view={view}
      onChange={onChange}
      reading={reading}
      all={all}
      paths={refs}
      shown={rows.length}
      counts={counts}
    >
      <ScrollRegion label={`${info.label}, table`} className={styles.box}>
        <table className={styles.table} aria-busy={switching}>
          <caption className={styles.caption}>
            {info.label} of every critical path
            {grouped ? ', by business model' : ''}. The headings sort.
          </caption>
          <thead>
            <tr>
              {COLUMNS.map(({ key, label }) => {
                const active = sort.key === key;
                const Arrow =
                  active && sort.descending ? RiArrowDownSLine : RiArrowUpSLine;
                return (
                  <th
                    key={key}
                    scope="col"
                    aria-sort={
                      active
                        ? (sort.descending && 'descending') || 'ascending'
                        : undefined
                    }
                  >
                    <button
                      type="button"
                      className={styles.sort}
                      data-active={active || undefined}
                      onClick={() => press(key)}
                    >
                      {label(info.label)}
                      <Arrow
                        size={14}
                        className={styles.arrow}
                        aria-hidden="true"
                      />
                    </button>
                  </th>
                );
              })}
              <th scope="col">Objective</th>
              <th scope="col">Over the window</th>
              <th scope="col">Data</th>
            </tr>
          </thead>
          {groups.map(group => (
            <tbody key={group.businessModel}>
              {grouped && (
                <tr className={own.group}>
                  <th scope="rowgroup" colSpan={7}>
                    <EntityName entityRef={group.businessModel} />{' '}
                    <span className={own.count}>
                      {group.rows.length}{' '}
                      {group.rows.length === 1 ? 'path' : 'paths'}
                    </span>
                  </th>
                </tr>
              )}
              {group.rows.map(row => (
                <Row
                  key={row.entityRef}
                  row={row}
                  signal={signal}
                  window={view.window}
                  receivedAt={receivedAt}
                  outdated={outdated}
                  grouped={grouped}
                />
              ))}
            </tbody>
          ))}
        </table>
      </ScrollRegion>
      <StateMeanings />
      {data && (
        <Text as="p" variant="body-small" color="secondary">
          {info.label}: {data.formula.replace(/\.?$/, '.')} {rows.length} of{' '}
          {all.length} paths, {describeWindow(data.window)}, up to{' '}
          {formatTimestamp(data.to)}; compared with the same length of time
          before.
        </Text>
      )}
    </BoardFrame>
  );
}
