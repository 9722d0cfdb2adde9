import { parseEntityRef } from '@backstage/catalog-model';
import type {
  AttributionSummary,
  BoardWindow,
  ObjectiveResult,
  PreviousWindow,
  ResolvedPath,
  Series as ChartSeries,
  Signals,
  SignalCounts,
  StepCounts,
  WorkflowSummary,
} from '@rocket/plugin-critical-paths-common';
import { toSummary, type BurnBook, type BurnSubject } from '../burn/BurnBook';
import type { StoredMaintenance } from '../store/PolicyStore';
import { measure } from './budgetFigures';
import type { BudgetService, PathBudget } from './BudgetService';
import { measuredFeeds, type StepFeed } from './feeds';
import { countsOf, isoOfMinute, seriesOf, signalsOf } from './figures';
import type { PathDirectory, PathModel } from './PathDirectory';
import type { SignalStatus, StoredSignals } from './StoredSignals';
import { previousGrid, windowGrid, windowMinutes, type Grid } from './windows';
import { NO_WORKFLOWS, type WorkflowReader } from './WorkflowReader';

/** A board is handed out while the next one is made, but not when it is older than this. */
const MAX_BOARD_AGE_MS = 90_000;

/** Figures of one path over one window; state and age are added when it is handed out. */
export interface PathFigures {
  resolved: ResolvedPath;
  /** All applications at all steps. */
  feeds: StepFeed[];
  signals: Signals;
  /** The counts behind `signals`. */
  counts: SignalCounts;
  /** Counts of its steps over the window; the entry step alone when that is what is measured. */
  steps: StepCounts[];
  sparkline: ChartSeries;
  objectives: ObjectiveResult[];
  budget: PathBudget;
  previous: PreviousWindow;
  attribution: AttributionSummary;
  /** Planned downtime, the oldest first. */
  maintenance: StoredMaintenance[];
  workflow: WorkflowSummary | null;
}

/** Figures of all paths over one window. */
export interface Board {
  /** Rises whenever the content may differ. */
  version: number;
  grid: Grid;
  model: PathModel;
  status: SignalStatus;
  figures: Map<string, PathFigures>;
}

/** Keeps the boards ready in memory, as {@link StoredSignals} keeps the counts. */
export class FigureService {
  readonly #signals: StoredSignals;
  readonly #budgets: BudgetService;
  readonly #book: BurnBook;
  readonly #workflows: WorkflowReader;
  readonly #directory: Pick<PathDirectory, 'model'>;
  readonly #now: () => number;
  #versions = 0;
  readonly #boards = new Map<
    BoardWindow,
    { madeAt: number; statusVersion: number; board: Board }
  >();
  /** Boards are made one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: {
    signals: StoredSignals;
    budgets: BudgetService;
    book: BurnBook;
    workflows?: WorkflowReader;
    directory: Pick<PathDirectory, 'model'>;
    now?: () => number;
  }) {
    this.#signals = options.signals;
    this.#budgets = options.budgets;
    this.#book = options.book;
    this.#workflows = options.workflows ?? NO_WORKFLOWS;
    this.#directory = options.directory;
    this.#now = options.now ?? Date.now;
  }

  /** The board over a window, at most as old as one collection. */
  async board(window: BoardWindow): Promise<Board> {
    const status = await this.#signals.recent();
    const model = await this.#directory.model();
    const until = this.#signals.until();
    const known = this.#boards.get(window);
    if (
      known &&
      known.statusVersion === status.version &&
      known.board.model === model &&
      known.board.grid.to === until
    ) {
      return known.board;
    }
    const next = this.#exclusive(() => this.#make(window));
    if (
      known &&
      known.board.model === model &&
      this.#now() - known.madeAt < MAX_BOARD_AGE_MS
    ) {
      next.catch(() => {}); // the next reader meets the same error and reports it
      return known.board;
    }
    return next;
  }

  async #make(window: BoardWindow): Promise<Board> {
    const { until, model, status, paths } = await this.#budgets.budgets();
    // Several readers may have queued up behind the one that made it.
    const known = this.#boards.get(window);
    if (
      known &&
      known.statusVersion === status.version &&
      known.board.model === model &&
      known.board.grid.to >= until
    ) {
      return known.board;
    }
    const now = this.#now();
    const [workflows] = await Promise.all([
      this.#workflows.summaries(windowMinutes(window), now),
      this.#book.refresh(),
    ]);
    const grid = windowGrid(window, until, 'sparkline');
    const before = previousGrid(window, until);
    const measured = [...paths.values()].map(budget => ({
      budget,
      steps: measuredFeeds(budget.resolved, budget.feeds),
    }));
    // For all paths at once: a question of its own for each would take longer.
    const everything = measured.flatMap(({ steps }) => steps.flat());
    const cells = await this.#signals.cells(everything, grid, 'board');
    const earlier = await this.#signals.cells(everything, before, 'board');
    const figures = new Map<string, PathFigures>();
    for (const { budget, steps } of measured) {
      const { resolved, feeds } = budget;
      const ref = resolved.path.entityRef;
      const downtime = this.#signals.downtime(ref);
      const own = measure(resolved, steps, cells, downtime);
      const { counts, steps: stepCounts } = countsOf(own);
      figures.set(ref, {
        resolved,
        feeds,
        signals: signalsOf(own, grid),
        counts,
        steps: stepCounts,
        sparkline: seriesOf(own, grid),
        objectives: budget.objectives,
        budget,
        previous: {
          from: isoOfMinute(before.from),
          to: isoOfMinute(before.to),
          signals: signalsOf(measure(resolved, steps, earlier), before),
        },
        attribution: toSummary(
          this.#book.sum(ref, grid.from, until),
          until,
          subjectOf(
            budget,
            stepCounts,
            entityRef => parseEntityRef(entityRef).name,
          ),
        ),
        maintenance: status.maintenance.get(ref) ?? [],
        workflow: workflows.get(ref) ?? null,
      });
      if (figures.size % 20 === 0) {
        // Let other requests in between.
        await new Promise(resolve => setImmediate(resolve));
      }
    }
    this.#versions += 1;
    const board = { version: this.#versions, grid, model, status, figures };
    this.#boards.set(window, {
      madeAt: now,
      statusVersion: status.version,
      board,
    });
    return board;
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => {});
    return result;
  }
}

/** Bad events that the first availability objective of a path allows; undefined without one. */
export function allowedEventsOf(budget: PathBudget): number | undefined {
  const { objectives } = budget.resolved.path;
  return budget.budgets.find(
    b => objectives[b.objective].sli === 'availability',
  )?.budget?.allowedEvents;
}

/** A path as attribution is shown for it. */
export function subjectOf(
  budget: PathBudget,
  steps: StepCounts[],
  titleOf: (entityRef: string) => string,
): BurnSubject {
  const stepsByRef = new Map<string, string[]>();
  for (const { member, step } of budget.feeds) {
    stepsByRef.set(member.entityRef, [
      ...(stepsByRef.get(member.entityRef) ?? []),
      step,
    ]);
  }
  return {
    aggregation: budget.resolved.path.aggregation,
    steps,
    allowedEvents: allowedEventsOf(budget),
    applications: [...stepsByRef].map(([entityRef, names]) => ({
      entityRef,
      title: titleOf(entityRef),
      steps: names,
    })),
  };
}
