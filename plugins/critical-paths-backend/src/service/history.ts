import {
  evaluateObjective,
  type CriticalPathObjective,
  type HistoryMonth,
} from '@rocket/plugin-critical-paths-common';
import { coveredMinutes, type MinuteRange } from '../store/ranges';
import {
  countsOf,
  isoOfMinute,
  latencyErrorOf,
  observedMinutes,
  signalsOfCounts,
  type Measured,
} from './figures';
import type { Grid } from './windows';

/** Start of the month (UTC) so many before the one that a minute is in; minutes since the epoch. */
export function monthStart(minute: number, back: number): number {
  const date = new Date(minute * 60_000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - back, 1) / 60_000;
}

/**
 * The calendar months of a path, the newest first, each objective held against
 * the whole of each month. Months that nothing is known of are left out.
 *
 * @param grid - whole days from the start of the oldest month on
 */
export function historyMonths(
  objectives: CriticalPathObjective[],
  measured: Measured,
  grid: Grid,
  downtime: readonly MinuteRange[],
  count: number,
): HistoryMonth[] {
  const months: HistoryMonth[] = [];
  for (let back = 0; back < count; back++) {
    const from = monthStart(grid.to, back);
    const to = back === 0 ? grid.to : monthStart(grid.to, back - 1);
    const first = grid.starts.findIndex(start => start >= from);
    const last = grid.starts.findIndex(start => start >= to);
    if (first === -1) {
      continue;
    }
    const { counts, missing } = countsOf(
      measured,
      first,
      last === -1 ? grid.starts.length : last,
    );
    const observed = observedMinutes(measured.steps[0].feeds, from, to);
    if (observed === 0 && counts.valid === 0) {
      continue;
    }
    const maintenanceMinutes = coveredMinutes(downtime, from, to);
    months.push({
      month: isoOfMinute(from).slice(0, 7),
      from: isoOfMinute(from),
      to: isoOfMinute(to),
      observed: Math.min(
        1,
        observed / Math.max(1, to - from - maintenanceMinutes),
      ),
      signals: signalsOfCounts(counts, observed, latencyErrorOf(measured)),
      objectives: objectives.map((objective, index) => {
        const { actual, met, budgetRemaining } = evaluateObjective(
          objective,
          counts,
          observed,
          {
            maintenanceMinutes,
            windowMinutes: to - from,
            missingSteps: objective.sli === 'availability' ? missing : [],
          },
        );
        return { objective: index, actual, met, budgetRemaining };
      }),
    });
  }
  return months;
}
