import { memo } from 'react';
import { useNavigate } from 'react-router-dom';
import type { BoardRow } from '@rocket/plugin-critical-paths-common';
import {
  BudgetBar,
  DataAge,
  isMissing,
  ScrollRegion,
  tableStyles as styles,
} from '@rocket/rocket-react';
import { RiArrowDownSLine, RiArrowUpSLine } from '@remixicon/react';
import { nextSort, type Sort, type SortKey } from '../../lib/boardView';
import { budgetText, worstBudget } from '../../lib/figures';
import { useGrowingRows } from '../../lib/useGrowingRows';
import { EntityName } from '../shared/EntityName';
import { SignalFigure } from '../shared/Signals';
import { BOARD_COLUMNS } from './columns';
import { PathTitle, StateWithReason, usePathHref } from './PathSummary';

/** Props of the board in both shapes. */
export interface BoardRowsProps {
  rows: BoardRow[];
  window: string;
  receivedAt: number;
  outdated: boolean;
  busy: boolean;
}

interface SortButtonProps {
  sortKey: SortKey;
  label: string;
  sort: Sort;
  onSort: (sort: Sort) => void;
}

function SortButton({ sortKey, label, sort, onSort }: SortButtonProps) {
  const next = nextSort(sort, sortKey);
  const descending = sort.key === sortKey ? sort.descending : next.descending;
  const Arrow = descending ? RiArrowDownSLine : RiArrowUpSLine;
  return (
    <button
      type="button"
      className={styles.sort}
      data-active={sort.key === sortKey || undefined}
      onClick={() => onSort(next)}
    >
      {label}
      <Arrow size={14} className={styles.arrow} aria-hidden="true" />
    </button>
  );
}

interface TableRowProps {
  row: BoardRow;
  window: string;
  receivedAt: number;
  outdated: boolean;
}

function PlainRow(props: TableRowProps) {
  const { row, window, receivedAt, outdated } = props;
  const navigate = useNavigate();
  const href = usePathHref(window)(row);
  const late = row.state === 'stale';
  const isMuted = outdated || isMissing(row.state);
  return (
    <tr
      data-clickable={href ? '' : undefined}
      // A larger target for the mouse; the link in the first cell is the real one.
      onClick={event => {
        const target = event.target as HTMLElement;
        if (href && !target.closest('a,button')) {
          navigate(href);
        }
      }}
    >
      <th scope="row">
        <PathTitle row={row} window={window} />
      </th>
      <td>
        <EntityName entityRef={row.businessModel} />
        <span className={styles.sub}>
          <EntityName entityRef={row.owner} />
        </span>
      </td>
      <td>
        <StateWithReason
          state={row.state}
          reasons={row.stateReasons}
          outdated={outdated}
        />
      </td>
      <td>
        <SignalFigure
          figure="availability"
          signals={row.signals}
          series={row.sparkline}
          muted={isMuted}
          hideLabel
        />
      </td>
      <td>
        <BudgetBar
          remaining={worstBudget(row.objectives)}
          label={`Error budget of ${row.title}`}
          emptyText={budgetText(row.objectives)}
          muted={isMuted}
        />
      </td>
      {(['throughput', 'errorRate', 'latency'] as const).map(figure => (
        <td key={figure}>
          <SignalFigure
            figure={figure}
            signals={row.signals}
            series={row.sparkline}
            muted={isMuted}
            hideLabel
          />
        </td>
      ))}
      <td>
        <DataAge
          ageSeconds={row.data.ageSeconds}
          receivedAt={receivedAt}
          at={row.data.watermark}
          late={late}
        />
      </td>
    </tr>
  );
}

// Most refreshes leave most rows as they are.
const TableRow = memo(PlainRow);

/** The board as a table, for screens that have room for it. */
export function BoardTable(
  props: BoardRowsProps & { sort: Sort; onSort: (sort: Sort) => void },
) {
  const { rows, window, receivedAt, outdated, busy, sort, onSort } = props;
  const { shown } = useGrowingRows(rows);
  return (
    <ScrollRegion label="Critical paths, table" className={styles.box}>
      <table className={styles.table} aria-busy={busy}>
        <caption className={styles.caption}>
          One row per critical path. The headings sort.
        </caption>
        <thead>
          <tr>
            {BOARD_COLUMNS.map(column => {
              const active = column.sorts.some(({ key }) => key === sort.key);
              const direction = sort.descending ? 'descending' : 'ascending';
              return (
                <th
                  key={column.id}
                  scope="col"
                  aria-sort={active ? direction : undefined}
                >
                  {column.sorts.map(({ key, label }, index) => (
                    <span
                      key={key}
                      className={index > 0 ? styles.hint : undefined}
                    >
                      <SortButton
                        sortKey={key}
                        label={label}
                        sort={sort}
                        onSort={onSort}
                      />
                    </span>
                  ))}
                  {column.hint && (
                    <span className={styles.hint}>{column.hint}</span>
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {shown.map(row => (
            <TableRow
              key={row.entityRef}
              row={row}
              window={window}
              receivedAt={receivedAt}
              outdated={outdated}
            />
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}
