import { useMemo } from 'react';
import { Text } from '@backstage/ui';
import {
  formatTimestamp,
  useElementWidth,
  REFRESH_SECONDS,
} from '@rocket/rocket-react';
import { countStates, filterRows, sortRows } from '../../lib/boardView';
import { useBoard } from '../../query/hooks';
import { describeWindow } from '../shared/WindowPicker';
import { BoardCards } from './BoardCards';
import { BoardFrame, StateMeanings, type BoardProps } from './BoardFrame';
import { BoardTable } from './BoardTable';

/** Narrower than this, rows become cards. */
const TABLE_MIN_WIDTH = 920;

/** All paths with their four golden signals. */
export function OverviewBoard({ view, onChange }: BoardProps) {
  const reading = useBoard(view.window);
  const [boxRef, width] = useElementWidth(1200);
  const { data, receivedAt, outdated, switching } = reading;
  const all = useMemo(() => data?.rows ?? [], [data]);
  const rows = useMemo(
    () => sortRows(filterRows(all, view), view.sort),
    [all, view],
  );
  const refs = useMemo(() => rows.map(row => row.entityRef), [rows]);
  const counts = useMemo(
    () => countStates(filterRows(all, view, { ignoreStates: true })),
    [all, view],
  );
  const asTable = width >= TABLE_MIN_WIDTH;
  const shared = {
    rows,
    window: view.window,
    receivedAt,
    outdated,
    busy: switching,
  };
  return (
    <BoardFrame
      view={view}
      onChange={onChange}
      reading={reading}
      all={all}
      paths={refs}
      shown={rows.length}
      counts={counts}
      withSort={!asTable}
      boxRef={boxRef}
    >
      {asTable ? (
        <BoardTable
          {...shared}
          sort={view.sort}
          onSort={sort => onChange({ sort })}
        />
      ) : (
        <BoardCards {...shared} />
      )}
      <StateMeanings />
      {data && (
        <Text as="p" variant="body-small" color="secondary">
          {rows.length} of {all.length} paths, {describeWindow(data.window)}, up
          to {formatTimestamp(data.to)}. Each path says on its page how its
          figures are measured. Refreshed every {REFRESH_SECONDS} seconds.
        </Text>
      )}
    </BoardFrame>
  );
}
