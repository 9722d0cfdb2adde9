import {
  budgetOf,
  describeObjective,
  evaluateBurn,
  mostUrgent,
  type BudgetSummary,
  type BurnSeverity,
  type CriticalPathObjective,
  type ObjectiveBudget,
  type ObjectiveResult,
  type ResolvedPath,
} from '@rocket/plugin-critical-paths-common';
import {
  alertsOf,
  burnCounts,
  judge,
  measure,
  summarize,
  type Cut,
} from './budgetFigures';
import { feedsOf, measuredFeeds, type StepFeed } from './feeds';
import { isoOfMinute } from './figures';
import type { PathDirectory, PathModel } from './PathDirectory';
import type { SignalStatus, StoredSignals } from './StoredSignals';
import { burnGrids, objectiveGrid, resetGrid, type Grid } from './windows';

/** Budgets of one path as of one minute. */
export interface PathBudget {
  resolved: ResolvedPath;
  /** All applications at all steps. */
  feeds: StepFeed[];
  /** One per objective, in their order. */
  objectives: ObjectiveResult[];
  /** Those of `objectives` that have a budget: availability and latency. */
  budgets: ObjectiveBudget[];
  /** The tightest of `budgets`; null without one. */
  summary: BudgetSummary | null;
  /** Rules that fire, for people. */
  alerts: { severity: BurnSeverity; message: string }[];
  alert: BurnSeverity | null;
}

/** Budgets of all paths as of one minute. */
export interface Budgets {
  /** End of the newest minute that counts, in minutes since the epoch. */
  until: number;
  model: PathModel;
  status: SignalStatus;
  paths: ReadonlyMap<string, PathBudget>;
}

/**
 * Works out error budgets and burn rates of all paths, once per minute: for the
 * boards, for alerting and for the gate. Reads stored rows only.
 */
export class BudgetService {
  readonly #signals: StoredSignals;
  readonly #directory: Pick<PathDirectory, 'model'>;
  #last?: Budgets;
  #making?: { key: string; value: Promise<Budgets> };

  constructor(options: {
    signals: StoredSignals;
    directory: Pick<PathDirectory, 'model'>;
  }) {
    this.#signals = options.signals;
    this.#directory = options.directory;
  }

  /** Budgets as of now. Rejects while the database or the catalog is away. */
  async budgets(): Promise<Budgets> {
    const status = await this.#signals.sync();
    const model = await this.#directory.model();
    const until = this.#signals.until();
    const last = this.#last;
    if (
      last &&
      last.status.version === status.version &&
      last.model === model &&
      last.until === until
    ) {
      return last;
    }
    const key = `${status.version}/${until}`;
    if (this.#making?.key !== key) {
      const value = this.#make(status, model, until);
      this.#making = { key, value };
      value.then(
        budgets => {
          this.#last = budgets;
        },
        () => {
          if (this.#making?.value === value) {
            this.#making = undefined;
          }
        },
      );
    }
    return this.#making.value;
  }

  /**
   * Reads what {@link judgeApplication} needs for many applications at once: a
   * question of its own for each of them would take much longer.
   */
  async readAhead(
    objectives: CriticalPathObjective[],
    feeds: StepFeed[],
    until: number,
  ): Promise<void> {
    for (const days of new Set(objectives.map(o => o.windowDays))) {
      await this.#signals.cells(feeds, objectiveGrid(days, until), 'detail');
    }
  }

  /** Objectives held against the sum of the feeds of one application, each over its own window. */
  async judgeApplication(
    objectives: CriticalPathObjective[],
    feeds: StepFeed[],
    until: number,
  ): Promise<ObjectiveResult[]> {
    const pathRef = feeds[0]?.series?.pathRef ?? '';
    const downtime = this.#signals.downtime(pathRef);
    const byDays = new Map<number, Cut>();
    for (const { windowDays } of objectives) {
      if (!byDays.has(windowDays)) {
        const grid = objectiveGrid(windowDays, until);
        const cells = await this.#signals.cells(feeds, grid, 'detail');
        byDays.set(windowDays, {
          grid,
          measured: {
            aggregation: 'measured',
            steps: [{ name: '', weight: 1, feeds: [...cells.values()] }],
          },
        });
      }
    }
    return objectives.map(
      objective =>
        judge(objective, [byDays.get(objective.windowDays)!], downtime).result,
    );
  }

  async #make(
    status: SignalStatus,
    model: PathModel,
    until: number,
  ): Promise<Budgets> {
    const all = [...model.paths.values()].map(resolved => {
      const feeds = feedsOf(resolved, status.seriesByKey);
      return { resolved, feeds, steps: measuredFeeds(resolved, feeds) };
    });
    // Read ahead for all paths at once; each path then finds it remembered.
    const burn = burnGrids(until);
    const days = new Set(
      all.flatMap(({ resolved }) =>
        resolved.path.objectives.map(o => o.windowDays),
      ),
    );
    const everything = all.flatMap(({ steps }) => steps.flat());
    for (const grid of [
      ...Object.values(burn),
      ...[...days].map(d => objectiveGrid(d, until)),
    ]) {
      await this.#signals.cells(everything, grid, 'board');
    }
    const paths = new Map<string, PathBudget>();
    for (const { resolved, feeds, steps } of all) {
      paths.set(
        resolved.path.entityRef,
        await this.#path(resolved, feeds, steps, status, until),
      );
      if (paths.size % 20 === 0) {
        // Let other requests in between.
        await new Promise(resolve => setImmediate(resolve));
      }
    }
    return { until, model, status, paths };
  }

  async #path(
    resolved: ResolvedPath,
    feeds: StepFeed[],
    steps: StepFeed[][],
    status: SignalStatus,
    until: number,
  ): Promise<PathBudget> {
    const { path } = resolved;
    const downtime = this.#signals.downtime(path.entityRef);
    const reset = status.resets.get(path.entityRef);
    const cut = async (grid: Grid): Promise<Cut> => {
      const cells = await this.#signals.cells(steps.flat(), grid, 'board');
      return { grid, measured: measure(resolved, steps, cells) };
    };
    const objectives: ObjectiveResult[] = [];
    const budgets: ObjectiveBudget[] = [];
    const withBudget = path.objectives.some(o => o.sli !== 'throughput');
    const grids = burnGrids(until);
    const burnCuts = withBudget
      ? {
          '1h': await cut(grids['1h']),
          '6h': await cut(grids['6h']),
          '3d': await cut(grids['3d']),
        }
      : undefined;
    for (const [index, objective] of path.objectives.entries()) {
      const start = until - objective.windowDays * 1440;
      const resetAt = reset && reset.at > start ? reset.at : undefined;
      const cuts = [
        await cut(objectiveGrid(objective.windowDays, until, resetAt)),
        ...(resetAt === undefined
          ? []
          : [await cut(resetGrid(resetAt, until))]),
      ];
      const judged = judge(objective, cuts, downtime, resetAt);
      objectives.push(judged.result);
      if (objective.sli !== 'throughput' && burnCuts) {
        const { valid, good, actual } = judged.result;
        const burned = evaluateBurn(
          objective,
          burnCounts(objective, burnCuts, downtime, until),
        );
        budgets.push({
          objective: index,
          label: describeObjective(objective),
          budget:
            actual === null
              ? null
              : budgetOf(good, valid, objective.target, judged.minutes) ?? null,
          ...burned,
          ...(resetAt === undefined
            ? {}
            : {
                resetAt: isoOfMinute(resetAt),
                resetReason: reset!.reason,
              }),
        });
      }
    }
    return {
      resolved,
      feeds,
      objectives,
      budgets,
      summary: summarize(budgets),
      alerts: budgets.flatMap(alertsOf),
      alert: mostUrgent(budgets.map(b => b.alert)),
    };
  }
}
