import type { PathDetail } from '@rocket/plugin-critical-paths-common';
import { Text } from '@backstage/ui';
import {
  formatCount,
  formatTimestamp,
  paletteClass,
} from '@rocket/rocket-react';
import { EntityName } from '../shared/EntityName';
import styles from './BudgetSection.module.css';

const percent = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} %`;

/** Which application burned how much of the path's budget, the worst first; what nobody explains is shown as such. */
export function AttributionSection({ path }: { path: PathDetail }) {
  const { rows, badEvents, unknownEvents, unknownPercent, from, to } =
    path.attribution;
  const burned = rows.filter(row => row.ownEvents > 0);
  return (
    <section className={`${paletteClass} ${styles.section}`}>
      <div>
        <Text as="h2" variant="title-x-small" weight="bold">
          Who burned the budget
        </Text>
        <p className={styles.sub}>
          {formatCount(Math.round(badEvents))} failed requests of the path,{' '}
          {formatTimestamp(from)} to {formatTimestamp(to)}, by the application
          at fault.
        </p>
      </div>
      {badEvents <= 0 ? (
        <Text as="p" color="secondary">
          Nothing failed, so nobody burned anything.
        </Text>
      ) : (
        <ul className={styles.bars}>
          {burned.map(row => (
            <li key={row.entityRef} className={styles.bar}>
              <EntityName entityRef={row.entityRef} title={row.title} />
              <div className={styles.track} aria-hidden="true">
                <div
                  className={styles.fill}
                  style={{ width: `${row.sharePercent}%` }}
                />
              </div>
              <span className={styles.share}>{percent(row.sharePercent)}</span>
              <span className={styles.sub}>
                {formatCount(Math.round(row.ownEvents))} by its own fault
                {row.budgetPercent !== null &&
                  `, ${percent(row.budgetPercent)} of the path’s budget`}
                ; {formatCount(Math.round(row.upstreamEvents))} of its{' '}
                {formatCount(Math.round(row.badEvents))} failures came from what
                it depends on.
              </span>
            </li>
          ))}
          {unknownEvents > 0 && (
            <li className={styles.bar}>
              <span>Nobody knows</span>
              <div className={styles.track} aria-hidden="true">
                <div
                  className={styles.fill}
                  data-unknown=""
                  style={{ width: `${unknownPercent}%` }}
                />
              </div>
              <span className={styles.share}>{percent(unknownPercent)}</span>
              <span className={styles.sub}>
                {formatCount(Math.round(unknownEvents))} in minutes when an
                application that could explain them was not seen.
              </span>
            </li>
          )}
        </ul>
      )}
    </section>
  );
}
