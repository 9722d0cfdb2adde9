import {
  BudgetBar,
  DataAge,
  isMissing,
  tableStyles as styles,
} from '@rocket/rocket-react';
import { budgetText, worstBudget } from '../../lib/figures';
import { EntityName } from '../shared/EntityName';
import { SignalGrid } from '../shared/Signals';
import type { BoardRowsProps } from './BoardTable';
import { PathTitle, StateWithReason } from './PathSummary';

/** The board as cards, for small screens. */
export function BoardCards(props: BoardRowsProps) {
  const { rows, window, receivedAt, outdated, busy } = props;
  return (
    <ul className={styles.cards} aria-label="Critical paths" aria-busy={busy}>
      {rows.map(row => {
        const late = row.state === 'stale';
        const isMuted = outdated || isMissing(row.state);
        return (
          <li key={row.entityRef} className={styles.card}>
            <div className={styles.cardHead}>
              <div>
                <PathTitle row={row} window={window} />
              </div>
              <div>
                <StateWithReason
                  state={row.state}
                  reasons={row.stateReasons}
                  outdated={outdated}
                />
              </div>
            </div>
            <SignalGrid
              signals={row.signals}
              series={row.sparkline}
              muted={isMuted}
            />
            <BudgetBar
              remaining={worstBudget(row.objectives)}
              label={`Error budget of ${row.title}`}
              emptyText={budgetText(row.objectives)}
              muted={isMuted}
            />
            <div className={styles.cardFoot}>
              <span className={styles.sub}>
                <EntityName entityRef={row.businessModel} /> ·{' '}
                <EntityName entityRef={row.owner} />
              </span>
              <DataAge
                ageSeconds={row.data.ageSeconds}
                receivedAt={receivedAt}
                at={row.data.watermark}
                late={late}
              />
            </div>
          </li>
        );
      })}
    </ul>
  );
}
