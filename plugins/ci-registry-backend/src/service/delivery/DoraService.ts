import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import type { CatalogService } from '@backstage/plugin-catalog-node';
import {
  DORA_DEFINITIONS,
  DORA_INCIDENT_DEFINITION,
  doraMetrics,
  doraSamples,
  incidentTimeToRecover,
  leadTimeByWeek,
  type DoraDeployment,
  type DoraResponse,
  type DoraSamples,
} from '@rocket/plugin-ci-registry-common';
import type { DeliveryStore } from '../../database/delivery/DeliveryStore';
import { DoraSubjects, type DoraQuery } from './DoraSubjects';
import type { IncidentReader } from './IncidentReader';
import type { DeliverySettings } from './settings';

const DAY_MS = 86_400_000;
/** So much before the windows is read as well: what ran before, and what was deployed already, is known by it. */
const LOOK_BACK_DAYS = 90;
/** Components and environments whose samples are remembered. */
const MAX_REMEMBERED = 5000;

function incidentNote(watched: boolean, answered: boolean): string {
  if (!watched) {
    return 'Monitoring is not about this environment, so nothing is said of incidents.';
  }
  return answered
    ? DORA_INCIDENT_DEFINITION
    : 'The critical paths do not answer at the moment, so nothing is said of incidents.';
}

/** The DORA metrics (DevOps Research and Assessment) of what the caller may see. */
export class DoraService {
  readonly #store: DeliveryStore;
  readonly #subjects: DoraSubjects;
  readonly #settings: DeliverySettings;
  readonly #now: () => number;
  readonly #incidents?: IncidentReader;
  readonly #remembered = new Map<
    string,
    { stamp: string; samples: DoraSamples }
  >();

  constructor(options: {
    store: DeliveryStore;
    catalog: CatalogService;
    settings: DeliverySettings;
    /** Without it nothing is said of incidents. */
    incidents?: IncidentReader;
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#subjects = new DoraSubjects(options.catalog);
    this.#settings = options.settings;
    this.#incidents = options.incidents;
    this.#now = options.now ?? Date.now;
  }

  async dora(
    query: DoraQuery,
    credentials: BackstageCredentials,
  ): Promise<DoraResponse> {
    const { by, days } = query;
    const environment = query.environment ?? this.#settings.doraEnvironment;
    const to = this.#now();
    const from = to - days * DAY_MS;
    const window = { from, to };
    const before = { from: from - days * DAY_MS, to: from };
    const since = before.from - LOOK_BACK_DAYS * DAY_MS;
    const deployed = await this.#store.deployedComponents(
      environment,
      before.from,
    );
    const subjects = await this.#subjects.of(query, deployed, credentials);
    const components = [
      ...new Set(subjects.flatMap(subject => subject.components)),
    ];
    const samples = await this.#samples(components, environment, since);
    // Monitoring watches what serves users.
    const watched = this.#settings.liveEnvironments.includes(environment);
    const incidents = watched
      ? await this.#incidents?.read(components, before.from, to)
      : undefined;
    return {
      by,
      environment,
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      leadTimeGoal: this.#settings.leadTimeGoalMs / 1000,
      definitions: DORA_DEFINITIONS,
      incidentNote: incidentNote(watched, incidents !== undefined),
      environments: await this.#store.environments(since),
      rows: subjects
        .map(({ entityRef, title, components: parts }) => {
          const own = parts.flatMap(ref => samples.get(ref) ?? []);
          return {
            entityRef,
            title,
            metrics: doraMetrics(own, window),
            previous: doraMetrics(own, before),
            leadTimeByWeek: leadTimeByWeek(own, window),
            incidents: incidents && {
              timeToRecover: incidentTimeToRecover(
                parts.flatMap(ref => incidents.get(ref) ?? []),
                window,
              ),
              previous: incidentTimeToRecover(
                parts.flatMap(ref => incidents.get(ref) ?? []),
                before,
              ),
            },
          };
        })
        .sort(
          (a, b) =>
            a.title.localeCompare(b.title) ||
            (a.entityRef < b.entityRef ? -1 : 1),
        ),
    };
  }

  /** Counted anew only of the components of which something was reported since. */
  async #samples(
    components: string[],
    environment: string,
    from: number,
  ): Promise<Map<string, DoraSamples>> {
    // The same all day, so that what is remembered stays true.
    const since = Math.floor(from / DAY_MS) * DAY_MS;
    const stamps = await this.#store.historyStamps(
      components,
      environment,
      since,
    );
    const keyOf = (component: string) => `${environment} ${since} ${component}`;
    const found = new Map<string, DoraSamples>();
    const unknown: string[] = [];
    for (const [component, stamp] of stamps) {
      const known = this.#remembered.get(keyOf(component));
      if (known?.stamp === stamp) found.set(component, known.samples);
      else unknown.push(component);
    }
    const counted = await this.#count(unknown, environment, since);
    for (const [component, samples] of counted) {
      found.set(component, samples);
      this.#remembered.delete(keyOf(component));
      this.#remembered.set(keyOf(component), {
        stamp: stamps.get(component)!,
        samples,
      });
    }
    for (const key of this.#remembered.keys()) {
      if (this.#remembered.size <= MAX_REMEMBERED) break;
      this.#remembered.delete(key);
    }
    return found;
  }

  async #count(
    components: string[],
    environment: string,
    since: number,
  ): Promise<Map<string, DoraSamples>> {
    const { deployments, contents, commitTimes } = await this.#store.history(
      components,
      environment,
      since,
    );
    const byComponent = new Map<string, DoraDeployment[]>();
    for (const deployment of deployments) {
      const list = byComponent.get(deployment.component) ?? [];
      list.push(deployment);
      byComponent.set(deployment.component, list);
    }
    return new Map(
      [...byComponent].map(([component, list]) => [
        component,
        doraSamples({
          deployments: list,
          contents: contents.get(component) ?? new Map(),
          commitTimes: commitTimes.get(component) ?? new Map(),
        }),
      ]),
    );
  }
}
