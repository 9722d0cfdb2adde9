import type {
  BoardSignal,
  SignalBoardResponse,
  TeamsResponse,
} from '@rocket/plugin-critical-paths-common';
import { makeBoard, ROW_SPECS, type FixtureTime, type RowSpec } from './rows';

/** A board of one signal; uptime and latency have objectives. */
export function makeSignalBoard(
  time: FixtureTime,
  signal: BoardSignal,
  specs: RowSpec[] = ROW_SPECS,
): SignalBoardResponse {
  const { rows, ...frame } = makeBoard(time, specs);
  const percent = (value: number | null) =>
    value === null ? null : value * 100;
  return {
    ...frame,
    signal,
    unit:
      { latency: 'ms' as const, throughput: 'perMinute' as const }[
        signal as string
      ] ?? 'percent',
    formula: 'good requests over all requests',
    rows: rows.map((row, index) => {
      const { signals } = row;
      const value = {
        uptime: percent(signals.availability),
        'error-rate': percent(signals.errorRate),
        throughput: signals.throughputPerMinute,
        latency: signals.latency.p95Ms,
      }[signal];
      return {
        entityRef: row.entityRef,
        namespace: row.namespace,
        name: row.name,
        title: row.title,
        businessModel: row.businessModel,
        owner: row.owner,
        state: row.state,
        stateReasons: row.stateReasons,
        value,
        previous: value === null ? null : value * (index % 2 ? 1.1 : 0.95),
        target: signal === 'uptime' ? 99.9 : null,
        met: signal === 'uptime' && value !== null ? value >= 99.9 : null,
        valid: signals.valid,
        ageSeconds: row.data.ageSeconds,
        sparkline: row.sparkline,
      };
    }),
  };
}

/** The owners of the paths below one root group. */
export function makeTeams(
  time: FixtureTime,
  specs: RowSpec[] = ROW_SPECS,
): TeamsResponse {
  const { rows, ...frame } = makeBoard(time, specs);
  const owners = [...new Set(rows.map(row => row.owner))];
  const teamOf = (entityRef: string, own: typeof rows, parent?: string) => ({
    entityRef,
    title: entityRef.replace(/^group:default\//, ''),
    parent,
    paths: own.map(row => row.entityRef),
    ownPaths: own.filter(row => row.owner === entityRef).length,
    states: Object.fromEntries(
      own.map(({ state }) => [
        state,
        own.filter(row => row.state === state).length,
      ]),
    ),
    state: own[0].state,
    signals: own[0].signals,
    budgetRemaining: own[0].objectives[0]?.budgetRemaining ?? null,
    alert: own.some(row => row.state === 'exhausted')
      ? ('page' as const)
      : null,
  });
  return {
    ...frame,
    rows: [
      teamOf('group:default/engineering', rows),
      ...owners.map(owner =>
        teamOf(
          owner,
          rows.filter(row => row.owner === owner),
          'group:default/engineering',
        ),
      ),
    ],
  };
}
