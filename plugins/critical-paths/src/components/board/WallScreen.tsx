import { useEffect, useMemo, useRef } from 'react';
import type { BoardRow } from '@rocket/plugin-critical-paths-common';
import { Button } from '@backstage/ui';
import {
  BudgetBar,
  DataAge,
  isMissing,
  paletteClass,
  Sparkline,
  StateBadge,
  STATES,
  STATES_BY_RANK,
  useNow,
} from '@rocket/rocket-react';
import { RiCloseLine } from '@remixicon/react';
import { countStates, filterRows, sortRows } from '../../lib/boardView';
import {
  budgetText,
  FIGURES,
  figureOf,
  pointsOf,
  sentence,
  worstBudget,
  type Figure,
} from '../../lib/figures';
import { useBoard } from '../../query/hooks';
import { ReadingNotice } from '../shared/ReadingNotice';
import { describeWindow } from '../shared/WindowPicker';
import type { BoardProps } from './BoardFrame';
import styles from './WallScreen.module.css';

/** Paths that fit on a wall with figures that can be read from across the room; the worst come first. */
const TILES = 24;

function Tile({
  row,
  receivedAt,
  outdated,
}: {
  row: BoardRow;
  receivedAt: number;
  outdated: boolean;
}) {
  const isMuted = outdated || isMissing(row.state);
  const figures: Figure[] = ['availability', 'latency', 'throughput'];
  return (
    <li
      className={styles.tile}
      data-tone={outdated ? 'missing' : STATES[row.state].tone}
    >
      <div className={styles.head}>
        <h2>{row.title}</h2>
        <StateBadge
          state={row.state}
          reasons={row.stateReasons}
          outdated={outdated}
          size="medium"
        />
      </div>
      <dl className={styles.figures}>
        {figures.map(figure => {
          const { value, unit, hasData } = figureOf(row.signals, figure);
          return (
            <div key={figure}>
              <dt>
                {FIGURES[figure].label}
                {figure === 'latency' && ' p95'}
              </dt>
              <dd data-missing={hasData ? undefined : ''}>
                {value} <small>{unit}</small>
              </dd>
            </div>
          );
        })}
      </dl>
      <Sparkline
        label={FIGURES.errorRate.label}
        points={pointsOf(row.sparkline, 'errorRate')}
        stepSeconds={row.sparkline.stepSeconds}
        format={FIGURES.errorRate.text}
        floor={0}
        minSpan={FIGURES.errorRate.minSpan}
        width={320}
        height={28}
        muted={isMuted}
      />
      <BudgetBar
        remaining={worstBudget(row.objectives)}
        label={`Error budget of ${row.title}`}
        emptyText={budgetText(row.objectives)}
        muted={isMuted}
      />
      <p className={styles.reason}>
        {row.state === 'healthy' ? '' : sentence(row.stateReasons[0] ?? '')}
      </p>
      <DataAge
        ageSeconds={row.data.ageSeconds}
        receivedAt={receivedAt}
        at={row.data.watermark}
        late={row.state === 'stale'}
      />
    </li>
  );
}

/** The board for a screen on a wall: the worst paths first, large, over the whole screen. Escape leaves. */
export function WallScreen({ view, onChange }: BoardProps) {
  const reading = useBoard(view.window);
  const { data, receivedAt, outdated } = reading;
  const now = useNow();
  const box = useRef<HTMLDivElement>(null);
  const rows = useMemo(
    () => sortRows(filterRows(data?.rows ?? [], view), view.sort),
    [data, view],
  );
  const counts = countStates(rows);
  useEffect(() => {
    box.current?.focus();
    const leave = (event: KeyboardEvent) => {
      if (event.key === 'Escape') {
        onChange({ wall: false });
      }
    };
    document.addEventListener('keydown', leave);
    return () => document.removeEventListener('keydown', leave);
  }, [onChange]);
  return (
    <div
      ref={box}
      className={`${paletteClass} ${styles.wall}`}
      role="region"
      aria-label="Critical paths, wall screen"
      tabIndex={-1}
    >
      <header className={styles.bar}>
        <h1>Critical paths</h1>
        <p>
          {STATES_BY_RANK.filter(state => counts[state] > 0)
            .map(
              state =>
                `${counts[state]} ${STATES[state].label.toLocaleLowerCase(
                  'en',
                )}`,
            )
            .join(' · ')}
        </p>
        <p>
          {describeWindow(view.window)} ·{' '}
          <time>
            {new Date(now).toLocaleTimeString('en-GB', {
              hour: '2-digit',
              minute: '2-digit',
            })}
          </time>
        </p>
        <Button
          variant="tertiary"
          iconStart={<RiCloseLine />}
          onPress={() => onChange({ wall: false })}
        >
          Leave
        </Button>
      </header>
      <ReadingNotice reading={reading} />
      <ul className={styles.tiles}>
        {rows.slice(0, TILES).map(row => (
          <Tile
            key={row.entityRef}
            row={row}
            receivedAt={receivedAt}
            outdated={outdated}
          />
        ))}
      </ul>
      {rows.length > TILES && (
        <p className={styles.more}>
          and {rows.length - TILES} more that are no worse
        </p>
      )}
    </div>
  );
}
