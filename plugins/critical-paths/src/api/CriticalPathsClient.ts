import { ResponseError } from '@backstage/errors';
import type { FetchApi } from '@backstage/frontend-plugin-api';
import type {
  BoardResponse,
  BoardSignal,
  ComponentPathsResponse,
  PathDetail,
  SignalBoardResponse,
  TeamsResponse,
} from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsApi, ReadOptions } from './CriticalPathsApi';

/** Reads the critical-paths backend; the `plugin:` scheme brings address and sign-in. */
export class CriticalPathsClient implements CriticalPathsApi {
  readonly #fetchApi: FetchApi;

  constructor(options: { fetchApi: FetchApi }) {
    this.#fetchApi = options.fetchApi;
  }

  getBoard(options: ReadOptions) {
    return this.#get<BoardResponse>(['paths'], options);
  }

  getSignalBoard(signal: BoardSignal, options: ReadOptions) {
    return this.#get<SignalBoardResponse>(['boards', signal], options);
  }

  getTeams(options: ReadOptions) {
    return this.#get<TeamsResponse>(['teams'], options);
  }

  async getCsv(
    board: 'overview' | 'teams' | BoardSignal,
    options: ReadOptions,
  ) {
    const segments: Record<string, string[]> = {
      overview: ['paths'],
      teams: ['teams'],
    };
    const response = await this.#fetch(
      segments[board] ?? ['boards', board],
      options,
      { format: 'csv' },
    );
    return response.blob();
  }

  getPath(path: { namespace: string; name: string }, options: ReadOptions) {
    return this.#get<PathDetail>(['paths', path.namespace, path.name], options);
  }

  getComponentPaths(
    component: { kind: string; namespace: string; name: string },
    options: ReadOptions,
  ) {
    return this.#get<ComponentPathsResponse>(
      [
        'components',
        component.kind.toLocaleLowerCase('en-US'),
        component.namespace,
        component.name,
        'paths',
      ],
      options,
    );
  }

  async #get<T>(segments: string[], options: ReadOptions): Promise<T> {
    return (await this.#fetch(segments, options)).json();
  }

  async #fetch(
    segments: string[],
    options: ReadOptions,
    more: Record<string, string> = {},
  ): Promise<Response> {
    const path = segments.map(encodeURIComponent).join('/');
    const query = new URLSearchParams({ window: options.window, ...more });
    const response = await this.#fetchApi.fetch(
      `plugin://critical-paths/${path}?${query}`,
      { signal: options.signal },
    );
    if (!response.ok) {
      throw await ResponseError.fromResponse(response);
    }
    return response;
  }
}
