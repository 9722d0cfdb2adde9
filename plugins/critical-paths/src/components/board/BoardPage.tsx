import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router-dom';
import { Button, Container, Skeleton, Text } from '@backstage/ui';
import { RiRouteLine } from '@remixicon/react';
import {
  formatTimestamp,
  StateBadge,
  STATES,
  STATES_BY_RANK,
  useElementWidth,
} from '@rocket/rocket-react';
import {
  countStates,
  filterRows,
  readView,
  readWindow,
  sortRows,
  writeView,
  type BoardView,
} from '../../lib/boardView';
import { useBoard } from '../../query/hooks';
import { REFRESH_SECONDS } from '../../query/QueryRoot';
import { ReadingNotice } from '../shared/ReadingNotice';
import { describeWindow, RejectedWindow } from '../shared/WindowPicker';
import { BoardCards } from './BoardCards';
import { BoardFilters } from './BoardFilters';
import { BoardTable } from './BoardTable';
import { SummaryStrip } from './SummaryStrip';
import styles from './BoardPage.module.css';

/** Narrower than this, rows become cards. */
const TABLE_MIN_WIDTH = 920;

function Waiting() {
  return (
    <div className={styles.waiting} role="status" aria-label="Loading">
      <Skeleton width="100%" height={70} />
      {[0, 1, 2, 3, 4].map(line => (
        <Skeleton key={line} width="100%" height={64} />
      ))}
    </div>
  );
}

function StateMeanings() {
  return (
    <details className={styles.meanings}>
      <summary>What the states mean</summary>
      <dl>
        {STATES_BY_RANK.map(state => (
          <div key={state}>
            <dt>
              <StateBadge state={state} />
            </dt>
            <dd>{STATES[state].meaning}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function NoPaths() {
  return (
    <div className={styles.empty}>
      <RiRouteLine size={32} />
      <Text as="h2" variant="title-x-small">
        No critical path is registered yet
      </Text>
      <Text as="p" color="secondary">
        A critical path is a catalog entity of the kind CriticalPath: an owner,
        a business model and the ordered steps that a client’s money passes
        through. Add one to the catalog and it appears here with its next
        collection.
      </Text>
    </div>
  );
}

/** The board: one row per critical path with its four golden signals. */
export function BoardPage() {
  const [params, setParams] = useSearchParams();
  const view = useMemo(() => readView(params), [params]);
  const { rejected } = readWindow(params);
  const reading = useBoard(view.window);
  const [boxRef, width] = useElementWidth(1200);
  const { data, receivedAt, outdated, switching } = reading;

  const change = useCallback(
    (next: Partial<BoardView>) =>
      setParams(
        current => writeView(current, { ...readView(current), ...next }),
        { replace: true },
      ),
    [setParams],
  );
  const all = useMemo(() => data?.rows ?? [], [data]);
  const rows = useMemo(
    () => sortRows(filterRows(all, view), view.sort),
    [all, view],
  );
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
    <Container>
      <div ref={boxRef} className={styles.page}>
        <RejectedWindow rejected={rejected} />
        <ReadingNotice reading={reading} />
        <BoardFilters
          rows={all}
          view={view}
          onChange={change}
          withSort={!asTable}
        />
        {reading.loading && <Waiting />}
        {data && all.length === 0 && <NoPaths />}
        {data && all.length > 0 && (
          <>
            <SummaryStrip
              counts={counts}
              selected={view.states}
              outdated={outdated}
              onChange={states => change({ states })}
            />
            {rows.length === 0 && (
              <div className={styles.empty}>
                <Text as="p">No path matches these filters.</Text>
                <Button
                  variant="secondary"
                  onPress={() =>
                    change({
                      businessModel: undefined,
                      owner: undefined,
                      states: [],
                      text: '',
                    })
                  }
                >
                  Clear the filters
                </Button>
              </div>
            )}
            {rows.length > 0 &&
              (asTable ? (
                <BoardTable
                  {...shared}
                  sort={view.sort}
                  onSort={sort => change({ sort })}
                />
              ) : (
                <BoardCards {...shared} />
              ))}
            <StateMeanings />
            <Text as="p" variant="body-small" color="secondary">
              {rows.length} of {all.length} paths, {describeWindow(data.window)}
              , up to {formatTimestamp(data.to)}. Figures are measured at the
              entry step of each path and refreshed every {REFRESH_SECONDS}{' '}
              seconds.
            </Text>
          </>
        )}
      </div>
    </Container>
  );
}
