import { useMemo } from 'react';
import { useNavigate } from 'react-router-dom';
import type { TeamRow } from '@rocket/plugin-critical-paths-common';
import { Button, Text } from '@backstage/ui';
import {
  BudgetBar,
  formatAvailability,
  formatDuration,
  formatErrorRate,
  formatThroughput,
  formatTimestamp,
  isMissing,
  paletteClass,
  ScrollRegion,
  SignalValue,
  StateBadge,
  STATES,
  STATES_BY_RANK,
  tableStyles as styles,
} from '@rocket/rocket-react';
import { RiAlarmWarningLine } from '@remixicon/react';
import { writeView, type BoardView } from '../../lib/boardView';
import { useAlerts, useTeams } from '../../query/hooks';
import { EntityName } from '../shared/EntityName';
import { describeWindow } from '../shared/WindowPicker';
import { countAlerts } from './OpenAlerts';
import { BoardFrame, StateMeanings, type BoardProps } from './BoardFrame';
import own from './TeamsBoard.module.css';

/** Depth of each team below the groups that have a row, and the rows in the order of the tree. */
export function teamTree(rows: TeamRow[]): { row: TeamRow; depth: number }[] {
  const children = new Map<string | undefined, TeamRow[]>();
  const known = new Set(rows.map(row => row.entityRef));
  for (const row of rows) {
    const parent =
      row.parent !== undefined && known.has(row.parent)
        ? row.parent
        : undefined;
    children.set(parent, [...(children.get(parent) ?? []), row]);
  }
  const byWorst = (a: TeamRow, b: TeamRow) =>
    STATES[a.state].rank - STATES[b.state].rank ||
    a.title.localeCompare(b.title, 'en');
  const seen = new Set<string>();
  const walk = (
    parent: string | undefined,
    depth: number,
  ): { row: TeamRow; depth: number }[] =>
    [...(children.get(parent) ?? [])].sort(byWorst).flatMap(row => {
      if (seen.has(row.entityRef)) return [];
      seen.add(row.entityRef);
      return [{ row, depth }, ...walk(row.entityRef, depth + 1)];
    });
  const tree = walk(undefined, 0);
  // Groups that are each other's parents hang nowhere; they are shown all the same.
  const rest = rows
    .filter(row => !seen.has(row.entityRef))
    .sort(byWorst)
    .map(row => ({ row, depth: 0 }));
  return [...tree, ...rest];
}

function StateCounts({ row }: { row: TeamRow }) {
  return (
    <ul className={`${paletteClass} ${own.states}`}>
      {STATES_BY_RANK.filter(state => row.states[state]).map(state => {
        const { Icon, label, tone } = STATES[state];
        return (
          <li key={state} data-tone={tone}>
            <Icon size={14} aria-hidden="true" />
            {row.states[state]} {label.toLocaleLowerCase('en')}
          </li>
        );
      })}
    </ul>
  );
}

/** One row per owner of critical paths; groups include those below them. */
export function TeamsBoard({ view, onChange }: BoardProps) {
  const reading = useTeams(view.window);
  const navigate = useNavigate();
  const { data, outdated, switching } = reading;
  const all = useMemo(
    () => (data?.rows ?? []).map(row => ({ ...row, owner: row.entityRef })),
    [data],
  );
  const rows = useMemo(() => {
    const words = view.text.toLocaleLowerCase('en').trim();
    return teamTree(
      all.filter(
        row =>
          (!view.owner || row.owner === view.owner) &&
          (!words ||
            `${row.title} ${row.entityRef}`
              .toLocaleLowerCase('en')
              .includes(words)),
      ),
    );
  }, [all, view.owner, view.text]);
  const refs = useMemo(
    () => [...new Set(rows.flatMap(({ row }) => row.paths))],
    [rows],
  );
  const open = (useAlerts().data?.alerts ?? []).filter(
    alert => !alert.closedAt,
  );
  const showPaths = (owner: string) => {
    const next: BoardView = {
      ...view,
      board: 'overview',
      owner,
      businessModel: undefined,
      text: '',
    };
    navigate(`?${writeView(new URLSearchParams(), next)}`);
  };
  return (
    <BoardFrame
      view={view}
      onChange={onChange}
      reading={reading}
      all={all}
      paths={refs}
      shown={rows.length}
    >
      <ScrollRegion label="Teams, table" className={styles.box}>
        <table className={styles.table} aria-busy={switching}>
          <caption className={styles.caption}>
            One row per owner of critical paths, with those of the groups below
            it.
          </caption>
          <thead>
            <tr>
              <th scope="col">Team</th>
              <th scope="col">State</th>
              <th scope="col">Paths</th>
              <th scope="col">Uptime</th>
              <th scope="col">Smallest error budget</th>
              <th scope="col">Throughput</th>
              <th scope="col">Error rate</th>
              <th scope="col">Latency, p95 / p99</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ row, depth }) => {
              const { signals } = row;
              const isMuted = outdated || isMissing(row.state);
              const alerts = countAlerts(
                open.filter(({ pathRef }) => row.paths.includes(pathRef)),
              );
              return (
                <tr key={row.entityRef}>
                  <th
                    scope="row"
                    style={{
                      paddingLeft: `calc(var(--bui-space-4) + ${depth * 20}px)`,
                    }}
                  >
                    <EntityName
                      entityRef={row.entityRef}
                      title={row.title}
                      className={styles.title}
                    />
                    {row.alert && (
                      <span className={`${paletteClass} ${own.alert}`}>
                        <RiAlarmWarningLine size={14} aria-hidden="true" />
                        {row.alert === 'page'
                          ? 'Budget burns fast'
                          : 'Budget burns slowly'}
                      </span>
                    )}
                    {alerts && (
                      <span className={styles.sub}>{alerts} open</span>
                    )}
                  </th>
                  <td>
                    <StateBadge state={row.state} outdated={outdated} />
                  </td>
                  <td>
                    <StateCounts row={row} />
                    {row.ownPaths > 0 && (
                      <Button
                        size="small"
                        variant="tertiary"
                        onPress={() => showPaths(row.entityRef)}
                      >
                        {`Show ${row.ownPaths} own ${
                          row.ownPaths === 1 ? 'path' : 'paths'
                        }`}
                      </Button>
                    )}
                  </td>
                  <td>
                    <SignalValue
                      figure={formatAvailability(signals.availability)}
                    />
                  </td>
                  <td>
                    <BudgetBar
                      remaining={row.budgetRemaining}
                      label={`Smallest error budget of ${row.title}`}
                      emptyText="no data"
                      muted={isMuted}
                    />
                  </td>
                  <td>
                    <SignalValue
                      figure={formatThroughput(signals.throughputPerMinute)}
                    />
                  </td>
                  <td>
                    <SignalValue figure={formatErrorRate(signals.errorRate)} />
                  </td>
                  <td className={own.latency}>
                    <SignalValue
                      figure={formatDuration(signals.latency.p95Ms)}
                    />{' '}
                    /{' '}
                    <SignalValue
                      figure={formatDuration(signals.latency.p99Ms)}
                    />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </ScrollRegion>
      <StateMeanings />
      {data && (
        <Text as="p" variant="body-small" color="secondary">
          Good and valid requests of all paths are added up; latency is that of
          all requests together, {describeWindow(data.window)}, up to{' '}
          {formatTimestamp(data.to)}.
        </Text>
      )}
    </BoardFrame>
  );
}
