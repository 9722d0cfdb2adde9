import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { NotFoundError } from '@backstage/errors';
import {
  type BoardResponse,
  type BoardRow,
  type BoardSignal,
  type BoardWindow,
  type ComponentPathsResponse,
  type HistoryResponse,
  type PathDetail,
  type PathState,
  type SignalBoardResponse,
  type TeamsResponse,
} from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsSettings } from '../settings';
import { measure } from './budgetFigures';
import { measuredFeeds } from './feeds';
import type { Board, FigureService, PathFigures } from './FigureService';
import { isoOfMinute } from './figures';
import { historyMonths, monthStart } from './history';
import type { PathDetails } from './PathDetails';
import type { PathDirectory } from './PathDirectory';
import { toBoardRow } from './rows';
import { signalBoard } from './signalBoards';
import type { StoredSignals } from './StoredSignals';
import { teamRows } from './teams';
import { historyGrid } from './windows';

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
  readonly #details: PathDetails;
  readonly #signals: StoredSignals;
  readonly #directory: PathDirectory;
  readonly #settings: CriticalPathsSettings;
  readonly #now: () => number;

  constructor(options: {
    figures: FigureService;
    details: PathDetails;
    signals: StoredSignals;
    directory: PathDirectory;
    settings: CriticalPathsSettings;
    now?: () => number;
  }) {
    this.#figures = options.figures;
    this.#details = options.details;
    this.#signals = options.signals;
    this.#directory = options.directory;
    this.#settings = options.settings;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Names what an answer of {@link board} or {@link signalBoard} depends on,
   * without making it: two answers with the same text are the same.
   * Changes every few seconds, since ages and states depend on the time.
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

  /** {@link boardKey} for {@link teams}, which depends on the groups that the caller may see as well. */
  async teamsKey(
    window: BoardWindow,
    filter: BoardFilter,
    credentials: BackstageCredentials,
    seconds: number,
  ): Promise<string> {
    const [key, groups] = await Promise.all([
      this.boardKey(window, filter, credentials, seconds),
      this.#directory.groupsVisibleTo(credentials),
    ]);
    return JSON.stringify([key, ...groups.values()]);
  }

  async board(
    window: BoardWindow,
    filter: BoardFilter,
    credentials: BackstageCredentials,
  ): Promise<BoardResponse> {
    const { board, rows, now } = await this.#rows(window, filter, credentials);
    return {
      ...this.#frame(window, board, now),
      rows: rows.map(({ row }) => row),
    };
  }

  /** The board of one signal: uptime, throughput, error rate or latency. */
  async signalBoard(
    signal: BoardSignal,
    window: BoardWindow,
    filter: BoardFilter,
    credentials: BackstageCredentials,
  ): Promise<SignalBoardResponse> {
    const { rows, ...frame } = await this.board(window, filter, credentials);
    return { ...frame, ...signalBoard(signal, rows) };
  }

  /** The paths by owner, with the groups above them. */
  async teams(
    window: BoardWindow,
    filter: BoardFilter,
    credentials: BackstageCredentials,
  ): Promise<TeamsResponse> {
    const [{ board, rows, now }, groups] = await Promise.all([
      this.#rows(window, filter, credentials),
      this.#directory.groupsVisibleTo(credentials),
    ]);
    return {
      ...this.#frame(window, board, now),
      rows: teamRows(rows, groups),
    };
  }

  /**
   * Names what an answer of {@link path} depends on, apart from the time.
   *
   * @throws NotFoundError when there is no such path or the caller may not see it
   */
  async pathKey(
    pathRef: string,
    window: BoardWindow,
    credentials: BackstageCredentials,
  ): Promise<{ key: string; version: number }> {
    const { board, figures } = await this.#find(pathRef, window, credentials);
    const refs = applicationsOf(figures);
    const visible = await this.#directory.visibleEntities(refs, credentials);
    return {
      key: JSON.stringify([
        pathRef,
        window,
        refs.filter(ref => !visible.has(ref)),
      ]),
      version: board.version,
    };
  }

  /** @throws NotFoundError when there is no such path or the caller may not see it. */
  async path(
    pathRef: string,
    window: BoardWindow,
    credentials: BackstageCredentials,
  ): Promise<PathDetail> {
    const { board, figures } = await this.#find(pathRef, window, credentials);
    const now = this.#now();
    const visible = await this.#directory.visibleEntities(
      applicationsOf(figures),
      credentials,
    );
    return {
      ...(await this.#details.detail(figures, board, window, visible, now)),
      ...this.#frame(window, board, now),
    };
  }

  /**
   * Calendar months (UTC) of a path, the newest first, from day rows.
   *
   * @throws NotFoundError when there is no such path or the caller may not see it
   */
  async history(
    pathRef: string,
    months: number,
    credentials: BackstageCredentials,
  ): Promise<HistoryResponse> {
    const { board, figures } = await this.#find(pathRef, '24h', credentials);
    const { resolved, feeds } = figures;
    const { to: until } = board.grid;
    const steps = measuredFeeds(resolved, feeds);
    const grid = historyGrid(monthStart(until, months - 1), until);
    const cells = await this.#signals.cells(steps.flat(), grid, 'detail');
    return {
      entityRef: pathRef,
      generatedAt: new Date(this.#now()).toISOString(),
      months: historyMonths(
        resolved.path.objectives,
        measure(resolved, steps, cells),
        grid,
        this.#signals.downtime(pathRef),
        months,
      ),
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
        rows.push({
          path: toBoardRow(figures, this.#settings, now),
          application: await this.#details.application(
            componentRef,
            own,
            figures,
            board,
            window,
            visibleApps.has(componentRef),
            now,
          ),
        });
      }
    }
    return { ...this.#frame(window, board, now), rows };
  }

  async #rows(
    window: BoardWindow,
    filter: BoardFilter,
    credentials: BackstageCredentials,
  ): Promise<{
    board: Board;
    rows: { row: BoardRow; figures: PathFigures }[];
    now: number;
  }> {
    const [board, visible] = await Promise.all([
      this.#figures.board(window),
      this.#directory.visibleTo(credentials),
    ]);
    const now = this.#now();
    const rows: { row: BoardRow; figures: PathFigures }[] = [];
    for (const figures of board.figures.values()) {
      const { path } = figures.resolved;
      if (
        visible.has(path.entityRef) &&
        matches(filter.businessModel, path.businessModel) &&
        matches(filter.owner, path.owner) &&
        found(filter.q, figures)
      ) {
        const row = toBoardRow(figures, this.#settings, now);
        if (matches(filter.state, row.state)) {
          rows.push({ row, figures });
        }
      }
    }
    return { board, rows, now };
  }

  async #find(
    pathRef: string,
    window: BoardWindow,
    credentials: BackstageCredentials,
  ): Promise<{ board: Board; figures: PathFigures }> {
    const [board, visible] = await Promise.all([
      this.#figures.board(window),
      this.#directory.visibleTo(credentials),
    ]);
    const figures = board.figures.get(pathRef);
    if (!figures || !visible.has(pathRef)) {
      throw new NotFoundError(`No critical path ${pathRef} in the catalog`);
    }
    return { board, figures };
  }

  #frame(window: BoardWindow, board: Board, now: number) {
    return {
      window,
      from: isoOfMinute(board.grid.from),
      to: isoOfMinute(board.grid.to),
      generatedAt: new Date(now).toISOString(),
    };
  }
}

function applicationsOf({ feeds }: PathFigures): string[] {
  return [...new Set(feeds.map(f => f.member.entityRef))];
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
