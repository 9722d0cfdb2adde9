import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { NotFoundError } from '@backstage/errors';
import type {
  BoardResponse,
  BoardRow,
  BoardWindow,
  ComponentPathsResponse,
  PathApplication,
  PathDetail,
  PathState,
} from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsSettings } from '../settings';
import type { SignalStore } from '../store/SignalStore';
import { explain } from './explain';
import { dataStatus, distinctFeeds, stateOf, type StepFeed } from './feeds';
import type { Board, FigureService, PathFigures } from './FigureService';
import { isoOfMinute, seriesOf, signalsOf } from './figures';
import type { PathDirectory, PathModel } from './PathDirectory';
import { windowGrid } from './windows';

/** Which rows of the board are wanted; every field narrows. */
export interface BoardFilter {
  businessModel?: string[];
  owner?: string[];
  state?: PathState[];
  /** Part of the name, title, description or of an application's ref. */
  q?: string;
}

/** Answers the questions of the API from stored rows, for one caller at a time. */
export class PathService {
  readonly #figures: FigureService;
  readonly #directory: PathDirectory;
  readonly #store: SignalStore;
  readonly #settings: CriticalPathsSettings;
  readonly #now: () => number;

  constructor(options: {
    figures: FigureService;
    directory: PathDirectory;
    store: SignalStore;
    settings: CriticalPathsSettings;
    now?: () => number;
  }) {
    this.#figures = options.figures;
    this.#directory = options.directory;
    this.#store = options.store;
    this.#settings = options.settings;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Names what an answer of {@link board} depends on, without making it: two
   * answers with the same text are the same. Changes every few seconds, since
   * ages and states depend on the time.
   */
  async boardKey(
    window: BoardWindow,
    filter: BoardFilter,
    credentials: BackstageCredentials,
    seconds: number,
  ): Promise<string> {
    const [board, visible] = await Promise.all([
      this.#figures.board(window),
      this.#directory.visibleTo(credentials),
    ]);
    return JSON.stringify([
      window,
      board.version,
      Math.floor(this.#now() / (seconds * 1000)),
      filter,
      [...visible].sort(),
    ]);
  }

  async board(
    window: BoardWindow,
    filter: BoardFilter,
    credentials: BackstageCredentials,
  ): Promise<BoardResponse> {
    const [board, visible] = await Promise.all([
      this.#figures.board(window),
      this.#directory.visibleTo(credentials),
    ]);
    const now = this.#now();
    const rows: BoardRow[] = [];
    for (const figures of board.figures.values()) {
      const { path } = figures.resolved;
      if (
        visible.has(path.entityRef) &&
        matches(filter.businessModel, path.businessModel) &&
        matches(filter.owner, path.owner) &&
        found(filter.q, figures)
      ) {
        const row = this.#row(figures, now);
        if (matches(filter.state, row.state)) {
          rows.push(row);
        }
      }
    }
    return { ...this.#frame(window, board, now), rows };
  }

  /** @throws NotFoundError when there is no such path or the caller may not see it. */
  async path(
    pathRef: string,
    window: BoardWindow,
    credentials: BackstageCredentials,
  ): Promise<PathDetail> {
    const [board, visible] = await Promise.all([
      this.#figures.board(window),
      this.#directory.visibleTo(credentials),
    ]);
    const figures = board.figures.get(pathRef);
    if (!figures || !visible.has(pathRef)) {
      throw new NotFoundError(`No critical path ${pathRef} in the catalog`);
    }
    const now = this.#now();
    const { resolved, feeds } = figures;
    const grid = windowGrid(window, board.grid.to, 'chart');
    const cells = await this.#figures.cellsOf(feeds, grid);
    const entry = distinctFeeds(feeds.filter(f => f.entry)).flatMap(f =>
      f.series ? cells.get(f.series.id) ?? [] : [],
    );
    const refs = [...new Set(feeds.map(f => f.member.entityRef))];
    const [visibleApps, queries] = await Promise.all([
      this.#directory.visibleEntities(refs, credentials),
      this.#store.listQueries(pathRef),
    ]);
    const applicationDetails: PathApplication[] = [];
    for (const ref of refs) {
      const own = feeds.filter(f => f.member.entityRef === ref);
      applicationDetails.push(
        await this.#application(ref, own, figures, {
          window,
          board,
          cells,
          now,
          visible: visibleApps.has(ref),
        }),
      );
    }
    return {
      ...this.#row(figures, now),
      ...this.#frame(window, board, now),
      series: seriesOf(entry, grid),
      steps: resolved.steps.map(step => ({
        name: step.name,
        title: step.title,
        operation: step.operation,
        applications: step.members.map(member => member.entityRef),
        entry: step.entry,
      })),
      applicationDetails,
      explanations: explain(queries),
    };
  }

  /** The paths that a component is part of. Empty when it is in none that the caller may see. */
  async pathsOfComponent(
    componentRef: string,
    window: BoardWindow,
    credentials: BackstageCredentials,
  ): Promise<ComponentPathsResponse> {
    const [board, visible, visibleApps] = await Promise.all([
      this.#figures.board(window),
      this.#directory.visibleTo(credentials),
      this.#directory.visibleEntities([componentRef], credentials),
    ]);
    const now = this.#now();
    const rows: ComponentPathsResponse['rows'] = [];
    for (const [pathRef, figures] of board.figures) {
      const own = figures.feeds.filter(
        f => f.member.entityRef === componentRef,
      );
      if (own.length > 0 && visible.has(pathRef)) {
        const grid = windowGrid(window, board.grid.to, 'chart');
        rows.push({
          path: this.#row(figures, now),
          application: await this.#application(componentRef, own, figures, {
            window,
            board,
            cells: await this.#figures.cellsOf(own, grid),
            now,
            visible: visibleApps.has(componentRef),
          }),
        });
      }
    }
    return { ...this.#frame(window, board, now), rows };
  }

  #frame(window: BoardWindow, board: Board, now: number) {
    return {
      window,
      from: isoOfMinute(board.grid.from),
      to: isoOfMinute(board.grid.to),
      generatedAt: new Date(now).toISOString(),
    };
  }

  #row(figures: PathFigures, now: number): BoardRow {
    const { resolved, feeds, signals, objectives } = figures;
    const { path } = resolved;
    const { state, reasons } = stateOf(
      {
        feeds,
        validInWindow: signals.valid,
        objectives,
        problems: resolved.problems,
      },
      this.#settings,
      now,
    );
    return {
      entityRef: path.entityRef,
      namespace: path.namespace,
      name: path.name,
      title: path.title,
      description: path.description,
      businessModel: path.businessModel,
      owner: path.owner,
      type: path.type,
      lifecycle: path.lifecycle,
      state,
      stateReasons: reasons,
      signals,
      sparkline: figures.sparkline,
      objectives,
      data: dataStatus(
        feeds.filter(f => f.entry),
        now,
      ),
      applications: new Set(feeds.map(f => f.member.entityRef)).size,
      unknownComponents: resolved.unknownComponents,
    };
  }

  async #application(
    entityRef: string,
    own: StepFeed[],
    figures: PathFigures,
    context: {
      window: BoardWindow;
      board: Board;
      cells: Awaited<ReturnType<FigureService['cellsOf']>>;
      now: number;
      visible: boolean;
    },
  ): Promise<PathApplication> {
    const { board, cells, now, visible } = context;
    const grid = windowGrid(context.window, board.grid.to, 'chart');
    const counted = distinctFeeds(own);
    const feeds = counted.flatMap(f =>
      f.series ? cells.get(f.series.id) ?? [] : [],
    );
    const signals = signalsOf(feeds, grid);
    // The path's promise is held against each application: its availability
    // everywhere, its latency where the path itself is measured. Throughput is
    // a promise about the sum.
    const objectives = await this.#figures.judge(
      figures.resolved.path.objectives.filter(
        o =>
          o.sli === 'availability' ||
          (o.sli === 'latency' && own.some(f => f.entry)),
      ),
      counted,
      board.grid.to,
    );
    const { state, reasons } = stateOf(
      { feeds: own, validInWindow: signals.valid, objectives },
      this.#settings,
      now,
    );
    const entity = entityOf(board.model, entityRef);
    return {
      entityRef,
      title:
        (visible && (entity?.metadata.title ?? entity?.metadata.name)) ||
        entityRef,
      known: own[0].member.known,
      joined: own.every(f => f.member.joined),
      owner:
        visible && typeof entity?.spec?.owner === 'string'
          ? entity.spec.owner
          : undefined,
      steps: own.map(f => f.step),
      state,
      stateReasons: reasons,
      signals,
      series: seriesOf(feeds, grid),
      data: dataStatus(own, now),
      sourceUrl: visible
        ? own.find(f => f.series?.sourceUrl)?.series?.sourceUrl
        : undefined,
    };
  }
}

function entityOf(model: PathModel, ref: string) {
  return model.components.get(ref);
}

function matches<T>(wanted: T[] | undefined, value: T): boolean {
  return !wanted || wanted.length === 0 || wanted.includes(value);
}

function found(q: string | undefined, { resolved, feeds }: PathFigures) {
  if (!q) {
    return true;
  }
  const { path } = resolved;
  const text = [
    path.name,
    path.title,
    path.description ?? '',
    ...feeds.map(f => f.member.entityRef),
  ]
    .join('\n')
    .toLowerCase();
  return text.includes(q.toLowerCase());
}
