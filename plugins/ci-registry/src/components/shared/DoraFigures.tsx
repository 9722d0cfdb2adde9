import { useMemo } from 'react';
import type { DoraRow } from '@rocket/plugin-ci-registry-common';
import {
  RiArrowRightDownLine,
  RiArrowRightUpLine,
  RiCheckLine,
  RiEqualLine,
  RiTimeLine,
} from '@remixicon/react';
import {
  formatSpan,
  paletteClass,
  SignalValue,
  Sparkline,
  ToneBadge,
} from '@rocket/rocket-react';
import {
  compareFigures,
  METRIC_NAMES,
  METRICS,
  samplesText,
  startOfWeek,
  type Metric,
} from '../../lib/dora';
import styles from './DoraFigures.module.css';

const WEEK_SECONDS = 7 * 86_400;

function Change({ metric, row }: { metric: Metric; row: DoraRow }) {
  const change = compareFigures(
    metric,
    row.metrics[metric],
    row.previous[metric],
  );
  if (!change) {
    return null;
  }
  const grew =
    row.metrics[metric].value! > row.previous[metric].value!
      ? RiArrowRightUpLine
      : RiArrowRightDownLine;
  const Icon = change.verdict === 'same' ? RiEqualLine : grew;
  return (
    <span className={styles.change} data-verdict={change.verdict}>
      <Icon size={14} aria-hidden="true" />
      {change.verdict === 'same'
        ? 'as before'
        : `${change.verdict}, was ${change.was}`}
    </span>
  );
}

function GoalBadge({ seconds, goal }: { seconds: number; goal: number }) {
  const text = formatSpan(goal).text;
  return (
    <span className={styles.badge}>
      {seconds <= goal ? (
        <ToneBadge
          subject="Goal"
          tone="positive"
          Icon={RiCheckLine}
          label={`within ${text}`}
        />
      ) : (
        <ToneBadge
          subject="Goal"
          tone="warning"
          Icon={RiTimeLine}
          label={`over ${text}`}
        />
      )}
    </span>
  );
}

function LeadTimeTrend({ row, goal }: { row: DoraRow; goal: number }) {
  const points = useMemo(
    () =>
      row.leadTimeByWeek.map(({ week, median }) => ({
        time: startOfWeek(week),
        observed: true,
        value: median,
      })),
    [row.leadTimeByWeek],
  );
  const threshold = useMemo(
    () => ({ value: goal, label: `Goal ${formatSpan(goal).text}` }),
    [goal],
  );
  if (!points.some(point => point.value !== null)) {
    return null;
  }
  return (
    <Sparkline
      label="Lead time by week"
      points={points}
      stepSeconds={WEEK_SECONDS}
      format={value => formatSpan(value).text}
      floor={0}
      minSpan={goal}
      threshold={threshold}
      width={120}
      height={30}
    />
  );
}

/** Props of {@link DoraFigureView}. */
export interface DoraFigureViewProps {
  metric: Metric;
  row: DoraRow;
  /** Of the lead time, seconds. */
  goal: number;
  size?: 'small' | 'large';
}

/** One metric of one row: the figure or why there is none, what it stands on, the window before, and the goal. */
export function DoraFigureView(props: DoraFigureViewProps) {
  const { metric, row, goal, size = 'small' } = props;
  const figure = row.metrics[metric];
  const { p95 } = row.metrics.leadTime;
  // That there are too few is said by their number already.
  const isScarce =
    figure.value === null && figure.samples < figure.minimumSamples;
  return (
    <div className={`${paletteClass} ${styles.figure}`}>
      {figure.value === null ? (
        <span className={styles.missing}>not enough data</span>
      ) : (
        <SignalValue
          figure={METRICS[metric].format(figure.value)}
          size={size}
        />
      )}
      {metric === 'leadTime' && figure.value !== null && (
        <>
          <GoalBadge seconds={figure.value} goal={goal} />
          {p95 !== null && (
            <span className={styles.sub}>
              95 % within {formatSpan(p95).text}
            </span>
          )}
        </>
      )}
      <Change metric={metric} row={row} />
      <span className={styles.sub}>{samplesText(metric, figure)}</span>
      {figure.note && !isScarce && (
        <span className={styles.sub}>{figure.note}</span>
      )}
      {metric === 'leadTime' && <LeadTimeTrend row={row} goal={goal} />}
    </div>
  );
}

/** The four metrics of one row, large. */
export function DoraTiles({ row, goal }: { row: DoraRow; goal: number }) {
  return (
    <dl className={styles.tiles}>
      {METRIC_NAMES.map(metric => (
        <div key={metric} className={styles.tile}>
          <dt>{METRICS[metric].label}</dt>
          <dd>
            <DoraFigureView
              metric={metric}
              row={row}
              goal={goal}
              size="large"
            />
          </dd>
        </div>
      ))}
    </dl>
  );
}
