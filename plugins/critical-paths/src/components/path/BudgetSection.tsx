import type {
  BurnRuleResult,
  ObjectiveBudget,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';
import { Text } from '@backstage/ui';
import {
  BudgetBar,
  formatCount,
  formatTimestamp,
  paletteClass,
  ScrollRegion,
  tableStyles as table,
} from '@rocket/rocket-react';
import {
  RiAlarmWarningLine,
  RiCheckLine,
  RiIndeterminateCircleLine,
  RiProhibitedLine,
} from '@remixicon/react';
import { formatMinutes } from '../../lib/figures';
import styles from './BudgetSection.module.css';

const RULES: Record<BurnRuleResult['name'], string> = {
  fast: 'Fast burn',
  slow: 'Slow burn',
  creeping: 'Creeping burn',
};

const STATUS: Record<
  BurnRuleResult['status'],
  { text: string; Icon: typeof RiCheckLine }
> = {
  firing: { text: 'burning', Icon: RiAlarmWarningLine },
  quiet: { text: 'quiet', Icon: RiCheckLine },
  'low-traffic': {
    text: 'too few requests to judge',
    Icon: RiIndeterminateCircleLine,
  },
  'no-data': { text: 'no data', Icon: RiProhibitedLine },
  'not-applicable': { text: 'not for this window', Icon: RiProhibitedLine },
};

/** A burn rate: `13.4×`. */
export function formatRate(rate: number | null): string {
  if (rate === null) {
    return 'no data';
  }
  return `${rate.toFixed(rate < 10 ? 2 : 1)}×`;
}

function Rest({ budget }: Pick<ObjectiveBudget, 'budget'>) {
  if (!budget) {
    return <p className={styles.sub}>No requests in the objective’s window.</p>;
  }
  const over = budget.remainingEvents < 0;
  return (
    <p className={styles.sub}>
      {formatCount(Math.round(budget.badEvents))} of{' '}
      {formatCount(Math.round(budget.allowedEvents))} allowed failures used;{' '}
      {over
        ? `${formatMinutes(-budget.remainingMinutes)} of total failure too many`
        : `${formatMinutes(
            budget.remainingMinutes,
          )} of total failure left`}{' '}
      of {formatMinutes(budget.allowedMinutes)}.
    </p>
  );
}

function BurnTable({ budget }: { budget: ObjectiveBudget }) {
  return (
    <ScrollRegion label={`Burn rates: ${budget.label}`} className={table.box}>
      <table className={table.table}>
        <caption className={table.caption}>
          Burn rates of {budget.label}. 1 spends the budget exactly by the end
          of its window.
        </caption>
        <thead>
          <tr>
            <th scope="col">Rule</th>
            {budget.burn.map(({ window }) => (
              <th key={window} scope="col">
                {window}
              </th>
            ))}
            <th scope="col">Fires from</th>
            <th scope="col">Now</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">Burn rate</th>
            {budget.burn.map(({ window, rate, valid, coverage }) => (
              <td
                key={window}
                className={styles.rate}
                title={`${formatCount(valid)} requests, ${Math.floor(
                  coverage * 100,
                )} % of the time observed`}
              >
                {formatRate(rate)}
              </td>
            ))}
            <td />
            <td />
          </tr>
          {budget.rules.map(rule => {
            const { text, Icon } = STATUS[rule.status];
            return (
              <tr key={rule.name}>
                <th scope="row">
                  {RULES[rule.name]}
                  <span className={table.sub}>
                    {rule.severity === 'page' ? 'wakes people' : 'ticket'}
                  </span>
                </th>
                {budget.burn.map(({ window }) => (
                  <td key={window}>
                    {(window === rule.longWindow ||
                      window === rule.shortWindow) && (
                      <span
                        className={styles.looked}
                        title={`${RULES[rule.name]} looks at ${window}`}
                      >
                        looked at
                      </span>
                    )}
                  </td>
                ))}
                <td className={styles.rate}>
                  {rule.threshold === null
                    ? 'any failure'
                    : formatRate(rule.threshold)}
                  <span className={table.sub}>
                    {(rule.badShareThreshold * 100).toFixed(3)} % failing,{' '}
                    {formatCount(rule.minimumValid)}+ requests
                  </span>
                </td>
                <td>
                  <span className={styles.status} data-status={rule.status}>
                    <Icon size={16} aria-hidden="true" />
                    {text}
                  </span>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

/** What is left of each error budget and how fast it goes. Nothing for a path without a budget. */
export function BudgetSection({
  path,
  muted,
}: {
  path: PathDetail;
  muted: boolean;
}) {
  if (path.budgets.length === 0) {
    return null;
  }
  return (
    <section className={`${paletteClass} ${styles.section}`}>
      <Text as="h2" variant="title-x-small" weight="bold">
        Error budget
      </Text>
      {path.budgets.map(budget => (
        <div key={budget.label} className={styles.budget}>
          <h3 className={styles.label}>{budget.label}</h3>
          <BudgetBar
            remaining={budget.budget?.remaining ?? null}
            label={`Error budget: ${budget.label}`}
            muted={muted}
          />
          <Rest budget={budget.budget} />
          {budget.resetAt && (
            <p className={styles.sub}>
              Started anew at {formatTimestamp(budget.resetAt)}:{' '}
              {budget.resetReason}
            </p>
          )}
          <BurnTable budget={budget} />
        </div>
      ))}
    </section>
  );
}
