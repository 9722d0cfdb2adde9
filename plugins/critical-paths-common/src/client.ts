import { parseEntityRef } from '@backstage/catalog-model';
import type {
  AlertsResponse,
  BoardResponse,
  BoardSignal,
  BoardWindow,
  BudgetReset,
  CollectResponse,
  ComponentPathsResponse,
  GateResponse,
  HistoryResponse,
  MaintenanceRequest,
  MaintenanceResponse,
  MaintenanceWindow,
  PathDetail,
  PathState,
  ServiceLevelsResponse,
  SignalBoardResponse,
  TeamsResponse,
  WorkflowRunDetail,
  WorkflowRunsResponse,
  WorkflowStartResponse,
  WorkflowsResponse,
} from './api';
import { send, type Call, type CallerOptions, type CallOptions } from './http';

export type { CallOptions } from './http';

/** Options of calls that read a window. */
export interface WindowOptions extends CallOptions {
  /** Default: 24h. */
  window?: BoardWindow;
}

/** What a board is narrowed to; several values of one field are alternatives. */
export interface BoardFilter {
  /** Entity refs of Domains. */
  businessModel?: string[];
  /** Entity refs of owners. */
  owner?: string[];
  state?: PathState[];
  /** Part of a name, title, description or application's ref. */
  q?: string;
}

/** Names a path. */
export interface PathName {
  namespace: string;
  name: string;
}

/** Names a workflow of a path. */
export interface WorkflowName extends PathName {
  workflow: string;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Reads and steers critical paths over the HTTP API of the plugin, for portals
 * and backends alike. Every call fails with a `ResponseError` when the backend
 * answers with one (its `cause.message` says what is wrong and what is allowed),
 * with the error of `fetch` when it does not answer, and with a `TimeoutError`
 * when it takes too long. Nothing is tried again.
 *
 * @example
 * ```ts
 * // in a portal
 * new CriticalPathsClient({ fetchApi, baseUrl: 'plugin://critical-paths' });
 * // in a backend
 * new CriticalPathsClient({
 *   fetchApi: { fetch },
 *   baseUrl: () => discovery.getBaseUrl('critical-paths'),
 * });
 * ```
 */
export class CriticalPathsClient {
  readonly #caller: CallerOptions;

  constructor(options: {
    fetchApi: { fetch: typeof fetch };
    /** Of the plugin, without a slash at the end. */
    baseUrl: string | (() => Promise<string>);
    /** Until the whole answer is there, in milliseconds. Default: 30000. */
    timeoutMs?: number;
  }) {
    const { baseUrl } = options;
    this.#caller = {
      fetchApi: options.fetchApi,
      baseUrl: typeof baseUrl === 'string' ? async () => baseUrl : baseUrl,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    };
  }

  /** All paths with their four signals over the window. */
  async getBoard(
    options: WindowOptions & { filter?: BoardFilter } = {},
  ): Promise<BoardResponse> {
    return this.#call(['paths'], options, {
      query: { window: options.window, ...options.filter },
    });
  }

  /** One signal across all paths. */
  async getSignalBoard(
    signal: BoardSignal,
    options: WindowOptions & { filter?: BoardFilter } = {},
  ): Promise<SignalBoardResponse> {
    return this.#call(['boards', signal], options, {
      query: { window: options.window, ...options.filter },
    });
  }

  /** The paths by owner. */
  async getTeams(
    options: WindowOptions & { filter?: BoardFilter } = {},
  ): Promise<TeamsResponse> {
    return this.#call(['teams'], options, {
      query: { window: options.window, ...options.filter },
    });
  }

  /** A board as CSV: `overview` has one row per path with all signals. */
  async getCsv(
    board: 'overview' | 'teams' | BoardSignal,
    options: WindowOptions & { filter?: BoardFilter } = {},
  ): Promise<string> {
    let segments = ['boards', board];
    if (board === 'overview') {
      segments = ['paths'];
    } else if (board === 'teams') {
      segments = ['teams'];
    }
    return this.#call(segments, options, {
      query: { window: options.window, format: 'csv', ...options.filter },
      as: 'text',
    });
  }

  /** One path with its applications; a 404 when there is none that the caller may see. */
  async getPath(
    path: PathName,
    options: WindowOptions = {},
  ): Promise<PathDetail> {
    return this.#call(['paths', path.namespace, path.name], options, {
      query: { window: options.window },
    });
  }

  /** Up to 13 months of a path by the day. */
  async getHistory(
    path: PathName,
    options: CallOptions & { months?: number } = {},
  ): Promise<HistoryResponse> {
    return this.#call(
      ['paths', path.namespace, path.name, 'history'],
      options,
      { query: { months: options.months } },
    );
  }

  /** The paths that a component is part of, with its own figures in each. */
  async getComponentPaths(
    component: { kind: string; namespace: string; name: string },
    options: WindowOptions = {},
  ): Promise<ComponentPathsResponse> {
    const { kind, namespace, name } = component;
    return this.#call(
      ['components', kind.toLocaleLowerCase('en-US'), namespace, name, 'paths'],
      options,
      { query: { window: options.window } },
    );
  }

  /** Service levels that people keep at a telemetry source, held against our own figures. */
  async getServiceLevels(
    component: { kind: string; namespace: string; name: string },
    options: CallOptions = {},
  ): Promise<ServiceLevelsResponse> {
    const { kind, namespace, name } = component;
    return this.#call(
      [
        'components',
        kind.toLocaleLowerCase('en-US'),
        namespace,
        name,
        'service-levels',
      ],
      options,
    );
  }

  /** Those of all applications of a path; what is limited to another path is left out. */
  async getServiceLevelsOfPath(
    path: PathName,
    options: CallOptions = {},
  ): Promise<ServiceLevelsResponse> {
    return this.#call(
      ['paths', path.namespace, path.name, 'service-levels'],
      options,
    );
  }

  /**
   * Whether a deployment of a component should go on; for a `criticalpath:` ref,
   * what that path says to deployments of its applications.
   */
  async getGate(
    entityRef: string,
    options: CallOptions & {
      /** Only looks: no deployment depends on the answer, so it is not in the audit log. */
      preview?: boolean;
    } = {},
  ): Promise<GateResponse> {
    const { kind, namespace, name } = parseEntityRef(entityRef, {
      defaultKind: 'component',
      defaultNamespace: 'default',
    });
    return this.#call(
      ['gate', kind.toLocaleLowerCase('en-US'), namespace, name],
      options,
      { query: { preview: options.preview ? 'true' : undefined } },
    );
  }

  /** What owners were told about burning budgets, of one path when one is given. */
  async getAlerts(
    options: CallOptions & { pathRef?: string } = {},
  ): Promise<AlertsResponse> {
    return this.#call(['alerts'], options, {
      query: { pathRef: options.pathRef },
    });
  }

  /** Planned downtime, of one path when one is given. */
  async getMaintenance(
    options: CallOptions & { pathRef?: string } = {},
  ): Promise<MaintenanceResponse> {
    return this.#call(['maintenance'], options, {
      query: { pathRef: options.pathRef },
    });
  }

  /** Declares planned downtime. */
  async declareMaintenance(
    request: MaintenanceRequest,
    options: CallOptions = {},
  ): Promise<MaintenanceWindow> {
    return this.#call(['maintenance'], options, {
      method: 'POST',
      body: request,
    });
  }

  /** Ends planned downtime now, or takes it back when it has not begun. */
  async withdrawMaintenance(
    id: string,
    reason: string,
    options: CallOptions = {},
  ): Promise<MaintenanceWindow> {
    return this.#call(['maintenance', id], options, {
      method: 'DELETE',
      query: { reason },
    });
  }

  /** Starts the error budgets of a path anew. */
  async resetBudget(
    path: PathName,
    reason: string,
    options: CallOptions = {},
  ): Promise<BudgetReset> {
    return this.#call(
      ['paths', path.namespace, path.name, 'budget-reset'],
      options,
      { method: 'POST', body: { reason } },
    );
  }

  /** Starts a collection cycle. */
  async collect(options: CallOptions = {}): Promise<CollectResponse> {
    return this.#call(['collect'], options, { method: 'POST' });
  }

  /** The synthetic workflows of a path with their last runs. */
  async getWorkflows(
    path: PathName,
    options: WindowOptions = {},
  ): Promise<WorkflowsResponse> {
    return this.#call(
      ['paths', path.namespace, path.name, 'workflows'],
      options,
      { query: { window: options.window } },
    );
  }

  /** A page of the runs of a workflow, the newest first. */
  async getWorkflowRuns(
    workflow: WorkflowName,
    options: CallOptions & { limit?: number; before?: string } = {},
  ): Promise<WorkflowRunsResponse> {
    return this.#call(runsOf(workflow), options, {
      query: { limit: options.limit, before: options.before },
    });
  }

  /** One run with its evidence. */
  async getWorkflowRun(
    workflow: WorkflowName,
    id: string,
    options: CallOptions = {},
  ): Promise<WorkflowRunDetail> {
    return this.#call([...runsOf(workflow), id], options);
  }

  /** Runs a workflow now; a 409 when it runs already or has no target. */
  async startWorkflowRun(
    workflow: WorkflowName,
    options: CallOptions = {},
  ): Promise<WorkflowStartResponse> {
    return this.#call(runsOf(workflow), options, { method: 'POST' });
  }

  /** A workflow as a New Relic scripted API monitor. */
  async getWorkflowScript(
    workflow: WorkflowName,
    options: CallOptions = {},
  ): Promise<string> {
    return this.#call(
      [...runsOf(workflow).slice(0, -1), 'newrelic.js'],
      options,
      { as: 'text' },
    );
  }

  /** Objectives as OpenSLO documents in YAML, of all paths when none is given. */
  async exportOpenSlo(
    path?: PathName,
    options: CallOptions = {},
  ): Promise<string> {
    return this.#call(
      path ? ['paths', path.namespace, path.name, 'openslo'] : ['openslo'],
      options,
      { as: 'text' },
    );
  }

  /** Turns OpenSLO documents into a CriticalPath in YAML with nothing but the objectives; changes nothing. */
  async importOpenSlo(
    path: PathName,
    yaml: string,
    options: CallOptions = {},
  ): Promise<string> {
    return this.#call(
      ['paths', path.namespace, path.name, 'openslo'],
      options,
      { method: 'POST', yaml, as: 'text' },
    );
  }

  #call<T>(
    segments: string[],
    options: CallOptions,
    call: Call = {},
  ): Promise<T> {
    return send(this.#caller, segments, options, call);
  }
}

function runsOf({ namespace, name, workflow }: WorkflowName): string[] {
  return ['paths', namespace, name, 'workflows', workflow, 'runs'];
}
