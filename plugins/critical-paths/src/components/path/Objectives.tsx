import type { ObjectiveResult } from '@rocket/plugin-critical-paths-common';
import {
  BudgetBar,
  formatAvailability,
  formatCount,
  formatThroughput,
  paletteClass,
  SignalValue,
} from '@rocket/rocket-react';
import {
  RiCheckLine,
  RiCloseLine,
  RiHistoryLine,
  RiProhibitedLine,
} from '@remixicon/react';
import { Text } from '@backstage/ui';
import { describeObjective } from '../../lib/figures';
import styles from './Objectives.module.css';

/** Below this share of observed time the figure is told with its coverage. */
const FULL_COVERAGE = 0.99;

function actualOf({ objective, actual }: ObjectiveResult) {
  if (objective.sli === 'throughput') {
    return formatThroughput(actual);
  }
  return formatAvailability(actual === null ? null : actual / 100);
}

function Verdict({ met, muted }: { met: boolean | null; muted: boolean }) {
  if (met === null) {
    return (
      <span className={styles.verdict} data-met="unknown">
        <RiProhibitedLine size={16} /> No data
      </span>
    );
  }
  return met ? (
    <span className={styles.verdict} data-met={muted ? 'unknown' : 'yes'}>
      {muted ? <RiHistoryLine size={16} /> : <RiCheckLine size={16} />}
      {muted ? 'Was met' : 'Met'}
    </span>
  ) : (
    <span className={styles.verdict} data-met="no">
      <RiCloseLine size={16} /> Missed
    </span>
  );
}

/** Props of {@link Objectives}. */
export interface ObjectivesProps {
  results: ObjectiveResult[];
  /** Takes the colours away: the path is not known well enough, or the figures are old. */
  muted: boolean;
}

/** The objectives of a path held against their own rolling windows. */
export function Objectives(props: ObjectivesProps) {
  const { results, muted } = props;
  if (results.length === 0) {
    return (
      <Text as="p" color="secondary">
        This path has no objective, so nobody can say whether it is good enough.
        Add spec.objectives to its definition.
      </Text>
    );
  }
  return (
    <ul className={`${paletteClass} ${styles.list}`}>
      {results.map(result => {
        const { objective, coverage } = result;
        const text = describeObjective(objective);
        return (
          <li key={text} className={styles.objective}>
            <div className={styles.head}>
              <span className={styles.text}>{text}</span>
              <Verdict met={result.met} muted={muted} />
            </div>
            <div className={styles.figures}>
              <SignalValue figure={actualOf(result)} size="medium" />
              {objective.sli !== 'throughput' && result.valid > 0 && (
                <span className={styles.sub}>
                  {formatCount(result.good)} of {formatCount(result.valid)}{' '}
                  requests
                  {result.estimated && ', in part estimated'}
                </span>
              )}
            </div>
            {objective.sli === 'throughput' ? (
              <span className={styles.sub}>A rate has no error budget.</span>
            ) : (
              <BudgetBar
                remaining={result.budgetRemaining}
                label={`Error budget: ${text}`}
                muted={muted}
              />
            )}
            {coverage !== undefined && coverage < FULL_COVERAGE && (
              <span className={styles.sub}>
                {Math.floor(coverage * 100)} % of the window was observed.
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
