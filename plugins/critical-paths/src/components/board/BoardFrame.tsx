import type { ReactNode, Ref } from 'react';
import type { PathState } from '@rocket/plugin-critical-paths-common';
import { Button, Skeleton, Text } from '@backstage/ui';
import { RiRouteLine } from '@remixicon/react';
import {
  StateBadge,
  STATES,
  STATES_BY_RANK,
  type Reading,
  pageStyles,
} from '@rocket/rocket-react';
import type { BoardView } from '../../lib/boardView';
import { ReadingNotice } from '../shared/ReadingNotice';
import { BoardFilters, type FilterSource } from './BoardFilters';
import { OpenAlerts } from './OpenAlerts';
import { SummaryStrip } from './SummaryStrip';
import styles from './BoardPage.module.css';

/** Props that every board gets from the page. */
export interface BoardProps {
  view: BoardView;
  onChange: (change: Partial<BoardView>) => void;
}

/** Props of {@link BoardFrame}. */
export interface BoardFrameProps extends BoardProps {
  reading: Reading<unknown>;
  /** All rows, for the choices of the filters. */
  all: FilterSource[];
  /** Entity refs of the paths behind the rows that pass the filters, for their pages and tickets. */
  paths: string[];
  /** Rows that pass the filters. */
  shown: number;
  /** Paths per state among the rows that pass every other filter; left out where rows are no paths. */
  counts?: Record<PathState, number>;
  /** Offers a menu for sorting, where there are no headings. */
  withSort?: boolean;
  boxRef?: Ref<HTMLDivElement>;
  children: ReactNode;
}

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

/** What each state means, for people who meet the words for the first time. */
export function StateMeanings() {
  return (
    <details className={`${pageStyles.meanings} ${styles.meanings}`}>
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

/** What all boards have: notices, filters, the states, and what stands in for missing rows. */
export function BoardFrame(props: BoardFrameProps) {
  const { reading, all, shown, counts, view, onChange } = props;
  const isRead = Boolean(reading.data);
  return (
    <div ref={props.boxRef} className={pageStyles.board}>
      <ReadingNotice reading={reading} />
      <BoardFilters
        rows={all}
        view={view}
        onChange={onChange}
        withSort={props.withSort ?? false}
      />
      {reading.loading && <Waiting />}
      {isRead && all.length === 0 && <NoPaths />}
      {isRead && all.length > 0 && (
        <>
          {counts && (
            <SummaryStrip
              counts={counts}
              selected={view.states}
              outdated={reading.outdated}
              onChange={states => onChange({ states })}
            />
          )}
          {shown === 0 ? (
            <div className={styles.empty}>
              <Text as="p">No path matches these filters.</Text>
              <Button
                variant="secondary"
                onPress={() =>
                  onChange({
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
          ) : (
            <>
              <OpenAlerts paths={props.paths} window={view.window} />
              {props.children}
            </>
          )}
        </>
      )}
    </div>
  );
}
