import {
  BURN_WINDOWS,
  BURN_WINDOW_MINUTES,
  evaluateObjective,
  mostUrgent,
  objectiveEvents,
  type BudgetSummary,
  type BurnCounts,
  type BurnRate,
  type BurnSeverity,
  type BurnWindow,
  type CriticalPathObjective,
  type ObjectiveBudget,
  type ObjectiveResult,
  type ResolvedPath,
} from '@rocket/plugin-critical-paths-common';
import { coveredMinutes, type MinuteRange } from '../store/ranges';
import type { StepFeed } from './feeds';
import {
  countsOf,
  observedMinutes,
  type FeedCells,
  type Measured,
  type MeasuredCounts,
} from './figures';
import type { Grid } from './windows';

/** A path or application on one grid. */
export interface Cut {
  grid: Grid;
  measured: Measured;
}

/** A path by its steps, from cells by id of the series. */
export function measure(
  resolved: ResolvedPath,
  steps: StepFeed[][],
  cells: ReadonlyMap<number, FeedCells>,
  maintenance?: readonly MinuteRange[],
): Measured {
  return {
    aggregation: resolved.path.aggregation,
    maintenance,
    steps: steps.map((feeds, index) => ({
      name: resolved.steps[index].name,
      weight: resolved.steps[index].weight,
      feeds: feeds.flatMap(f => (f.series ? cells.get(f.series.id) ?? [] : [])),
    })),
  };
}

/** Counts of several stretches of one window; the stretches do not overlap. */
function countsOfCuts(cuts: Cut[]): MeasuredCounts & { observed: number } {
  const [first] = cuts;
  const observed = cuts.reduce(
    (sum, { grid, measured }) =>
      sum + observedMinutes(measured.steps[0]?.feeds ?? [], grid.from, grid.to),
    0,
  );
  const joined: Measured = {
    ...first.measured,
    steps: first.measured.steps.map((step, index) => ({
      ...step,
      feeds: cuts.flatMap(cut => cut.measured.steps[index].feeds),
    })),
  };
  return { ...countsOf(joined), observed };
}

/** Holds one objective against one or more cuts of its window that do not overlap. */
export function judge(
  objective: CriticalPathObjective,
  cuts: Cut[],
  downtime: readonly MinuteRange[],
  resetAt?: number,
): { result: ObjectiveResult; minutes: number } {
  const { counts, missing, observed } = countsOfCuts(cuts);
  const to = Math.max(...cuts.map(cut => cut.grid.to));
  const length = objective.windowDays * 1440;
  const from = resetAt ?? to - length;
  const maintenanceMinutes = coveredMinutes(downtime, from, to);
  const windowMinutes = resetAt === undefined ? undefined : to - from;
  return {
    // The budget as time is that of the whole window, also after a reset.
    minutes: length - maintenanceMinutes,
    result: evaluateObjective(
      objective,
      objective.sli === 'availability'
        ? counts
        : countsOfCuts(cuts.map(entryOnly)).counts,
      observed,
      {
        maintenanceMinutes,
        windowMinutes,
        missingSteps: objective.sli === 'availability' ? missing : [],
      },
    ),
  };
}

/** Latency and throughput are those of the entry step, whatever the aggregation. */
function entryOnly({ grid, measured }: Cut): Cut {
  return {
    grid,
    measured: {
      ...measured,
      aggregation: 'measured',
      steps: measured.steps.slice(0, 1),
    },
  };
}

/** Events of an objective in each burn window. */
export function burnCounts(
  objective: CriticalPathObjective,
  cuts: Record<'1h' | '6h' | '3d', Cut>,
  downtime: readonly MinuteRange[],
  until: number,
): Record<BurnWindow, BurnCounts> {
  const result = {} as Record<BurnWindow, BurnCounts>;
  for (const window of BURN_WINDOWS) {
    const minutes = BURN_WINDOW_MINUTES[window];
    const whole = cuts[window === '5m' || window === '30m' ? '1h' : window];
    const { grid, measured } =
      objective.sli === 'availability' ? whole : entryOnly(whole);
    // The grid of the last hour has one interval per minute.
    const first = minutes < 60 ? grid.starts.length - minutes : 0;
    const { counts } = countsOf(measured, first);
    const { valid, good } = objectiveEvents(objective, counts);
    const from = minutes < 60 ? until - minutes : grid.from;
    result[window] = {
      valid,
      bad: valid - good,
      observedMinutes: observedMinutes(
        measured.steps[0]?.feeds ?? [],
        from,
        until,
      ),
      maintenanceMinutes: coveredMinutes(downtime, from, until),
    };
  }
  return result;
}

/** The tightest of the budgets of a path. */
export function summarize(budgets: ObjectiveBudget[]): BudgetSummary | null {
  const tightest = [...budgets].sort(
    (a, b) =>
      (a.budget?.remaining ?? Infinity) - (b.budget?.remaining ?? Infinity),
  )[0];
  if (!tightest) {
    return null;
  }
  const { objective, label, budget, burn } = tightest;
  return {
    objective,
    label,
    budget,
    burn: Object.fromEntries(
      burn.map(({ window, rate }) => [window, rate]),
    ) as Record<BurnWindow, number | null>,
    alert: mostUrgent(budgets.map(b => b.alert)),
  };
}

/** The rules that fire, as sentences for people. */
export function alertsOf(
  budget: ObjectiveBudget,
): { severity: BurnSeverity; message: string }[] {
  const rates = new Map<BurnWindow, BurnRate>(
    budget.burn.map(rate => [rate.window, rate]),
  );
  const rate = (window: BurnWindow) => {
    const value = rates.get(window)?.rate;
    return typeof value === 'number'
      ? `${Number(value.toFixed(value < 10 ? 1 : 0))}x`
      : 'with errors';
  };
  return budget.rules
    .filter(rule => rule.status === 'firing')
    .map(rule => ({
      severity: rule.severity,
      message: `${rule.name} burn: ${budget.label} burns ${rate(
        rule.longWindow,
      )} over ${rule.longWindow} and ${rate(rule.shortWindow)} over ${
        rule.shortWindow
      }${
        rule.threshold === null
          ? ', where nothing may fail'
          : `, at least ${Number(rule.threshold.toFixed(2))}x`
      }`,
    }));
}
