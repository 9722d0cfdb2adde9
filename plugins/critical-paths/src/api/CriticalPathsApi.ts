import { createApiRef } from '@backstage/frontend-plugin-api';
import type {
  BoardResponse,
  BoardSignal,
  BoardWindow,
  ComponentPathsResponse,
  PathDetail,
  SignalBoardResponse,
  TeamsResponse,
} from '@rocket/plugin-critical-paths-common';

/** Options of every read. */
export interface ReadOptions {
  window: BoardWindow;
  signal?: AbortSignal;
}

/** What the backend plugin knows about critical paths. Every call fails with a `ResponseError`. */
export interface CriticalPathsApi {
  /** All paths with their four signals over the window. */
  getBoard(options: ReadOptions): Promise<BoardResponse>;
  /** All paths by one signal. */
  getSignalBoard(
    signal: BoardSignal,
    options: ReadOptions,
  ): Promise<SignalBoardResponse>;
  /** The paths summed up by their owners. */
  getTeams(options: ReadOptions): Promise<TeamsResponse>;
  /** A board as a file for spreadsheets: `overview` has one row per path and all signals. */
  getCsv(
    board: 'overview' | 'teams' | BoardSignal,
    options: ReadOptions,
  ): Promise<Blob>;
  /** One path with its applications; a 404 when the catalog has no such path. */
  getPath(
    path: { namespace: string; name: string },
    options: ReadOptions,
  ): Promise<PathDetail>;
  /** The paths that a component is part of, with its own figures in each. */
  getComponentPaths(
    component: { kind: string; namespace: string; name: string },
    options: ReadOptions,
  ): Promise<ComponentPathsResponse>;
}

/** The client of the critical-paths backend. */
export const criticalPathsApiRef = createApiRef<CriticalPathsApi>().with({
  id: 'plugin.critical-paths.client',
  pluginId: 'critical-paths',
});
