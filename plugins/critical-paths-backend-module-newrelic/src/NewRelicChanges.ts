import { toError } from '@backstage/errors';
import type { NewRelicService, NrqlResult } from '@rocket/newrelic-node';
import type {
  ChangeFeedRequest,
  ChangeFeedResponse,
  ServiceLevelRequest,
  ServiceLevelResponse,
  TelemetryApplication,
} from '@rocket/plugin-critical-paths-node';
import {
  EVENT_TYPES,
  groupByLength,
  nameFault,
  writeChangeQuery,
  type ChangeQuery,
} from './changeQueries';
import {
  isCutOff,
  readDeployments,
  readIncidents,
  withoutTwins,
} from './readChanges';
import {
  MAX_GUIDS,
  MAX_GUID_ALIASES,
  SEARCH_OPERATION,
  definitionsOperation,
  readAttainment,
  readDefinitions,
  readSearchPage,
  windowOf,
  writeAttainment,
  type AttainmentQuery,
  type Definition,
} from './serviceLevels';

/** A window with too many events is halved so often; a day becomes a minute and a half. */
const MAX_HALVINGS = 10;
/** Pages of 200 service levels of one account. */
const MAX_PAGES = 25;

interface Scope {
  account: string;
  applications: TelemetryApplication[];
  signal?: AbortSignal;
  onRequest: () => void;
}

function slices<T>(list: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
}

const keysOf = (applications: TelemetryApplication[]) =>
  applications.map(({ key }) => key);

/** Reads deployments, incidents and service levels of applications from New Relic. */
export class NewRelicChanges {
  readonly #newrelic: NewRelicService;

  constructor(newrelic: NewRelicService) {
    this.#newrelic = newrelic;
  }

  async fetchChanges(request: ChangeFeedRequest): Promise<ChangeFeedResponse> {
    const response: ChangeFeedResponse = {
      deployments: [],
      incidents: [],
      failures: [],
      requests: 0,
    };
    await this.#perAccount(request, response, async scope => {
      const window = [request.from.getTime(), request.to.getTime()] as const;
      const groups = groupByLength(
        scope.applications,
        group => writeChangeQuery('NrAiIncident', group, ...window).nrql,
      );
      await this.#readEvents(
        scope,
        groups.flatMap(group =>
          EVENT_TYPES.map(type => writeChangeQuery(type, group, ...window)),
        ),
        response,
      );
    });
    response.deployments = withoutTwins(response.deployments);
    return response;
  }

  async #readEvents(
    scope: Scope,
    queries: ChangeQuery[],
    response: ChangeFeedResponse,
    halvings = 0,
  ): Promise<void> {
    const again: ChangeQuery[] = [];
    const { account, signal, onRequest } = scope;
    const outcomes = await this.#newrelic.query(
      account,
      queries.map(query => ({ nrql: query.nrql })),
      { signal, onRequest },
    );
    outcomes.forEach((outcome, index) => {
      const query = queries[index];
      try {
        if (!outcome.ok) throw outcome.error;
        if (!isCutOff(outcome.result)) {
          this.#keep(query, outcome.result, response);
        } else if (halvings < MAX_HALVINGS) {
          const { type, applications, from, to } = query;
          const middle = Math.floor((from + to) / 2);
          again.push(
            writeChangeQuery(type, applications, from, middle),
            writeChangeQuery(type, applications, middle, to),
          );
        } else {
          throw new Error(
            `New Relic has more events of type ${query.type} than it can be asked for`,
          );
        }
      } catch (error) {
        response.failures.push({
          keys: keysOf(query.applications),
          message: toError(error).message,
        });
      }
    });
    if (again.length > 0) {
      await this.#readEvents(scope, again, response, halvings + 1);
    }
  }

  #keep(
    query: ChangeQuery,
    result: NrqlResult,
    response: ChangeFeedResponse,
  ): void {
    if (query.type !== 'NrAiIncident') {
      response.deployments.push(...readDeployments(query, result));
      return;
    }
    // Halves of a window may hold the open and the close row of one incident.
    for (const incident of readIncidents(query, result)) {
      const known = response.incidents.findIndex(
        ({ key, id }) => key === incident.key && id === incident.id,
      );
      if (known === -1) {
        response.incidents.push(incident);
      } else if (incident.closedAt) {
        response.incidents[known] = incident;
      }
    }
  }

  async fetchServiceLevels(
    request: ServiceLevelRequest,
  ): Promise<ServiceLevelResponse> {
    const response: ServiceLevelResponse = {
      levels: [],
      failures: [],
      requests: 0,
    };
    await this.#perAccount(request, response, async scope => {
      const guids = await this.#applicationsWithLevels(scope);
      const definitions = await this.#definitions(scope, guids);
      await this.#measure(scope, definitions, request.at.getTime(), response);
    });
    return response;
  }

  async #applicationsWithLevels(scope: Scope): Promise<string[]> {
    const { id } = this.#newrelic.getAccount(scope.account);
    const guids = new Set<string>();
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const { data, errors } = await this.#newrelic.graphql(
        scope.account,
        {
          query: SEARCH_OPERATION,
          variables: {
            query: `accountId = '${id}' AND domain = 'EXT' AND type = 'SERVICE_LEVEL'`,
            cursor: cursor ?? null,
          },
        },
        scope,
      );
      if (errors.length > 0) throw new Error(errors[0].message);
      const { applicationGuids, nextCursor } = readSearchPage(data);
      applicationGuids.forEach(guid => guids.add(guid));
      if (!nextCursor) return [...guids];
      cursor = nextCursor;
    }
    throw new Error(
      `The account has more than ${MAX_PAGES * 200} service levels`,
    );
  }

  async #definitions(scope: Scope, guids: string[]): Promise<Definition[]> {
    const names = new Set(scope.applications.map(({ appName }) => appName));
    const found: Definition[] = [];
    for (const part of slices(guids, MAX_GUIDS * MAX_GUID_ALIASES)) {
      const aliases = slices(part, MAX_GUIDS);
      const { data, errors } = await this.#newrelic.graphql(
        scope.account,
        {
          query: definitionsOperation(aliases.length),
          variables: Object.fromEntries(
            aliases.map((alias, index) => [`g${index}`, alias]),
          ),
        },
        scope,
      );
      if (errors.length > 0) throw new Error(errors[0].message);
      found.push(...readDefinitions(data).filter(d => names.has(d.appName)));
    }
    return found;
  }

  async #measure(
    scope: Scope,
    definitions: Definition[],
    at: number,
    response: ServiceLevelResponse,
  ): Promise<void> {
    const byWindow = new Map<string, Definition[]>();
    for (const definition of definitions) {
      const { from, to } = windowOf(definition, at);
      const name = `${from}-${to}`;
      byWindow.set(name, [...(byWindow.get(name) ?? []), definition]);
    }
    const queries = [...byWindow].flatMap(([name, members]) => {
      const [from, to] = name.split('-').map(Number);
      return groupByLength(members, group =>
        writeAttainment(group, from, to),
      ).map<AttainmentQuery>(group => ({
        nrql: writeAttainment(group, from, to),
        definitions: group,
        from,
        to,
      }));
    });
    if (queries.length === 0) return;
    const keys = new Map(scope.applications.map(a => [a.appName, a.key]));
    // A service level that was made in this hour has no whole one yet.
    const measurable = queries.filter(({ from, to }) => to > from);
    const outcomes = await this.#newrelic.query(
      scope.account,
      measurable.map(({ nrql }) => ({ nrql })),
      scope,
    );
    const empty: NrqlResult = {
      results: [],
      totalResult: null,
      otherResult: null,
      metadata: { facets: null, messages: null, timeWindow: null },
    };
    const { uiBaseUrl } = this.#newrelic.getAccount(scope.account);
    for (const query of queries) {
      const index = measurable.indexOf(query);
      const outcome = index === -1 ? undefined : outcomes[index];
      if (outcome && !outcome.ok) {
        response.failures.push({
          keys: query.definitions.map(d => keys.get(d.appName)!),
          message: outcome.error.message,
        });
        continue;
      }
      readAttainment(query, outcome?.result ?? empty).forEach((level, i) =>
        response.levels.push({
          ...level,
          key: keys.get(query.definitions[i].appName)!,
          url: uiBaseUrl
            ? `${uiBaseUrl}/redirect/entity/${encodeURIComponent(level.id)}`
            : undefined,
        }),
      );
    }
  }

  /** Runs `work` for each account; a fault of one account is that of its applications. */
  async #perAccount(
    request: { applications: TelemetryApplication[]; signal?: AbortSignal },
    response: {
      failures: { keys: string[]; message: string }[];
      requests: number;
    },
    work: (scope: Scope) => Promise<void>,
  ): Promise<void> {
    const byAccount = new Map<string, TelemetryApplication[]>();
    for (const application of request.applications) {
      try {
        const fault = nameFault(application.appName);
        if (fault) throw new Error(fault);
        const { name } = this.#newrelic.getAccount(application.account);
        byAccount.set(name, [...(byAccount.get(name) ?? []), application]);
      } catch (error) {
        response.failures.push({
          keys: [application.key],
          message: toError(error).message,
        });
      }
    }
    await Promise.all(
      [...byAccount].map(async ([account, applications]) => {
        try {
          await work({
            account,
            applications,
            signal: request.signal,
            onRequest: () => {
              response.requests += 1;
            },
          });
        } catch (error) {
          request.signal?.throwIfAborted();
          response.failures.push({
            keys: keysOf(applications),
            message: toError(error).message,
          });
        }
      }),
    );
  }
}
