import {
  type Attribution,
  type BoardWindow,
  type ChangeMarker,
  type PathApplication,
  type PathDetail,
} from '@rocket/plugin-critical-paths-common';
import { attributePath, attributedPath } from '../burn/attributePath';
import { toAttribution, type BurnBook, type BurnSum } from '../burn/BurnBook';
import type { ChangeStore, StoredChange } from '../changes/ChangeStore';
import { summarizeIncidents } from '../changes/incidents';
import { AttributionTotals } from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsSettings } from '../settings';
import type { BurnStore } from '../store/BurnStore';
import type { SignalStore } from '../store/SignalStore';
import { measure } from './budgetFigures';
import type { BudgetService } from './BudgetService';
import { explain } from './explain';
import {
  dataStatus,
  distinctFeeds,
  measuredFeeds,
  stateOf,
  type StepFeed,
} from './feeds';
import { subjectOf, type Board, type PathFigures } from './FigureService';
import { seriesOf, signalsOf, singleStep, type FeedCells } from './figures';
import { markersOf } from './markers';
import { currentMaintenance, toBoardRow, toMaintenanceWindow } from './rows';
import type { StoredSignals } from './StoredSignals';
import { previousGrid, windowGrid, type Grid } from './windows';

/** Windows whose attribution is worked out from minutes, so that it starts at the very minute. */
const EXACT_WINDOWS: readonly BoardWindow[] = ['1h', '6h'];
/** Markers of one page: the newest so many. */
const MAX_CHANGES = 500;

/** Cells of the applications of a path over a window and the one before. */
interface ApplicationCells {
  grid: Grid;
  cells: ReadonlyMap<number, FeedCells>;
  before: Grid;
  earlier: ReadonlyMap<number, FeedCells>;
}

/** Makes the page of one path. */
export class PathDetails {
  readonly #signals: StoredSignals;
  readonly #budgets: BudgetService;
  readonly #book: BurnBook;
  readonly #store: SignalStore;
  readonly #burns: Pick<BurnStore, 'listChangeBurns'>;
  readonly #changes: Pick<ChangeStore, 'listChanges' | 'listFeeds'>;
  readonly #settings: CriticalPathsSettings;

  constructor(options: {
    signals: StoredSignals;
    budgets: BudgetService;
    book: BurnBook;
    store: SignalStore;
    burns: Pick<BurnStore, 'listChangeBurns'>;
    changes: Pick<ChangeStore, 'listChanges' | 'listFeeds'>;
    settings: CriticalPathsSettings;
  }) {
    this.#signals = options.signals;
    this.#budgets = options.budgets;
    this.#book = options.book;
    this.#store = options.store;
    this.#burns = options.burns;
    this.#changes = options.changes;
    this.#settings = options.settings;
  }

  /** @param visible - refs of the applications whose catalog data the caller may see */
  async detail(
    figures: PathFigures,
    board: Board,
    window: BoardWindow,
    visible: ReadonlySet<string>,
    now: number,
  ): Promise<Omit<PathDetail, 'window' | 'from' | 'to' | 'generatedAt'>> {
    const { resolved, feeds } = figures;
    const { entityRef: pathRef } = resolved.path;
    const { to: until } = board.grid;
    const refs = [...new Set(feeds.map(f => f.member.entityRef))];
    const grid = windowGrid(window, until, 'chart');
    const steps = measuredFeeds(resolved, feeds);
    const [own, cells, queries, changes, read] = await Promise.all([
      this.#signals.cells(steps.flat(), grid, 'detail'),
      this.#applicationCells(feeds, window, until),
      this.#store.listQueries(pathRef),
      this.#changes.listChanges({
        entityRefs: [...refs, pathRef],
        from: board.grid.from * 60,
        to: until * 60,
        limit: MAX_CHANGES,
      }),
      this.#incidentsRead(feeds),
      this.#budgets.readAhead(resolved.path.objectives, feeds, until),
    ]);
    const titleOf = (ref: string) =>
      (visible.has(ref) &&
        (board.model.components.get(ref)?.metadata.title ??
          board.model.components.get(ref)?.metadata.name)) ||
      ref;
    const downtime = this.#signals.downtime(pathRef);
    const measured = measure(resolved, steps, own, downtime);
    const applicationDetails: PathApplication[] = [];
    for (const ref of refs) {
      const feedsOfApp = feeds.filter(f => f.member.entityRef === ref);
      applicationDetails.push({
        ...(await this.#application(ref, feedsOfApp, figures, cells, {
          board,
          now,
          visible: visible.has(ref),
          title: titleOf(ref),
        })),
        incidents: read.has(ref)
          ? summarizeIncidents(
              changes.filter(change => change.entityRef === ref),
              { from: board.grid.from * 60, to: until * 60 },
            )
          : null,
      });
    }
    return {
      ...toBoardRow(figures, this.#settings, now),
      series: seriesOf(measured, grid),
      budgets: figures.budget.budgets,
      attribution: await this.#attribution(figures, board, window, titleOf),
      changes: await this.#markers(
        figures,
        board,
        changes.filter(
          change =>
            change.entityRef === pathRef || visible.has(change.entityRef),
        ),
      ),
      maintenanceWindows: figures.maintenance
        .filter(w => w.to > board.grid.from)
        .map(toMaintenanceWindow),
      steps: resolved.steps.map(step => ({
        name: step.name,
        title: step.title,
        operation: step.operation,
        applications: step.members.map(member => member.entityRef),
        entry: step.entry,
        ...(resolved.path.aggregation === 'weighted'
          ? { weight: step.weight }
          : {}),
      })),
      applicationDetails,
      explanations: explain(queries, resolved.path.aggregation),
    };
  }

  /** One application of a path, for the page of a component. */
  async application(
    entityRef: string,
    own: StepFeed[],
    figures: PathFigures,
    board: Board,
    window: BoardWindow,
    visible: boolean,
    now: number,
  ): Promise<PathApplication> {
    const { to: until, from } = board.grid;
    const entity = board.model.components.get(entityRef);
    const [cells, changes, read] = await Promise.all([
      this.#applicationCells(own, window, until),
      this.#changes.listChanges({
        entityRefs: [entityRef],
        from: from * 60,
        to: until * 60,
        kinds: ['incident'],
        limit: MAX_CHANGES,
      }),
      this.#incidentsRead(own),
    ]);
    return {
      ...(await this.#application(entityRef, own, figures, cells, {
        board,
        now,
        visible,
        title:
          (visible && (entity?.metadata.title ?? entity?.metadata.name)) ||
          entityRef,
      })),
      incidents: read.has(entityRef)
        ? summarizeIncidents(changes, { from: from * 60, to: until * 60 })
        : null,
    };
  }

  async #applicationCells(
    feeds: StepFeed[],
    window: BoardWindow,
    until: number,
  ): Promise<ApplicationCells> {
    const grid = windowGrid(window, until, 'application');
    const before = previousGrid(window, until);
    const [cells, earlier] = await Promise.all([
      this.#signals.cells(feeds, grid, 'detail'),
      this.#signals.cells(feeds, before, 'detail'),
    ]);
    return { grid, cells, before, earlier };
  }

  async #application(
    entityRef: string,
    own: StepFeed[],
    figures: PathFigures,
    { grid, cells, before, earlier }: ApplicationCells,
    context: { board: Board; now: number; visible: boolean; title: string },
  ): Promise<Omit<PathApplication, 'incidents'>> {
    const { board, now, visible } = context;
    const counted = distinctFeeds(own);
    const pick = (from: ReadonlyMap<number, FeedCells>) =>
      counted.flatMap(f => (f.series ? from.get(f.series.id) ?? [] : []));
    const measured = singleStep(
      pick(cells),
      this.#signals.downtime(figures.resolved.path.entityRef),
    );
    const signals = signalsOf(measured, grid);
    // The path's promise is held against each application: its availability
    // everywhere, its latency where the path itself is measured. Throughput is
    // a promise about the sum.
    const objectives = await this.#budgets.judgeApplication(
      figures.resolved.path.objectives.filter(
        o =>
          o.sli === 'availability' ||
          (o.sli === 'latency' && own.some(f => f.entry)),
      ),
      counted,
      board.grid.to,
    );
    const { state, reasons } = stateOf(
      {
        feeds: own,
        validInWindow: signals.valid,
        objectives,
        maintenance: currentMaintenance(figures, now) ?? undefined,
      },
      this.#settings,
      now,
    );
    const owner = board.model.components.get(entityRef)?.spec?.owner;
    return {
      entityRef,
      title: context.title,
      known: own[0].member.known,
      joined: own.every(f => f.member.joined),
      owner: visible && typeof owner === 'string' ? owner : undefined,
      steps: own.map(f => f.step),
      state,
      stateReasons: reasons,
      signals,
      series: seriesOf(measured, grid),
      previous: signalsOf(singleStep(pick(earlier)), before),
      data: dataStatus(own, now),
      sourceUrl: visible
        ? own.find(f => f.series?.sourceUrl)?.series?.sourceUrl
        : undefined,
    };
  }

  async #attribution(
    figures: PathFigures,
    board: Board,
    window: BoardWindow,
    titleOf: (ref: string) => string,
  ): Promise<Attribution> {
    const { from, to: until } = board.grid;
    const pathRef = figures.resolved.path.entityRef;
    const subject = subjectOf(figures.budget, figures.steps, titleOf);
    if (EXACT_WINDOWS.includes(window)) {
      const sum: BurnSum = {
        from,
        totals: new AttributionTotals(),
        resolution: 1,
      };
      if (figures.signals.good < figures.signals.valid) {
        for (const { totals, resolution } of await attributePath(
          this.#store,
          attributedPath(figures.resolved, board.status.seriesByKey),
          this.#signals.downtime(pathRef),
          from,
          until,
        )) {
          sum.totals.addTotals(totals);
          sum.resolution = Math.max(sum.resolution, resolution);
        }
      }
      return toAttribution(sum, until, subject);
    }
    await this.#book.refresh();
    return toAttribution(this.#book.sum(pathRef, from, until), until, subject);
  }

  async #markers(
    figures: PathFigures,
    board: Board,
    changes: StoredChange[],
  ): Promise<ChangeMarker[]> {
    const { from, to: until } = board.grid;
    const pathRef = figures.resolved.path.entityRef;
    const burns = changes.some(change => change.kind === 'deployment')
      ? await this.#burns.listChangeBurns(pathRef, from)
      : [];
    return markersOf(
      changes,
      burns,
      figures,
      board.status.resets.get(pathRef),
      { from, until },
    );
  }

  /** Refs of the applications whose incidents some source has told. */
  async #incidentsRead(feeds: StepFeed[]): Promise<Set<string>> {
    const known = feeds.filter(feed => feed.member.known);
    const keyOf = (f: { source: string; account?: string; appName: string }) =>
      JSON.stringify([f.source, f.account ?? '', f.appName]);
    const read = new Set(
      (
        await this.#changes.listFeeds(
          known.map(({ member }) => ({
            source: member.selection.source,
            account: member.selection.account,
            appName: member.selection.appName,
          })),
        )
      )
        .filter(feed => feed.lastSuccessTime !== undefined)
        .map(keyOf),
    );
    return new Set(
      known
        .filter(({ member }) => read.has(keyOf(member.selection)))
        .map(({ member }) => member.entityRef),
    );
  }
}
