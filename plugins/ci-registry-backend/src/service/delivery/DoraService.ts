import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { CATALOG_FILTER_EXISTS } from '@backstage/catalog-client';
import {
  RELATION_OWNED_BY,
  parseEntityRef,
  stringifyEntityRef,
  type Entity,
} from '@backstage/catalog-model';
import { NotFoundError } from '@backstage/errors';
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
import {
  ANNOTATION_CRITICAL_PATH,
  indexComponents,
  parseCriticalPath,
  resolvePath,
} from '@rocket/plugin-critical-paths-common';
import type { DeliveryStore } from '../../database/delivery/DeliveryStore';
import { catalogAnswers } from './catalogAnswers';
import type { IncidentReader } from './IncidentReader';
import type { DeliverySettings } from './settings';

const DAY_MS = 86_400_000;
/** So much before the windows is read as well: what ran before, and what was deployed already, is known by it. */
const LOOK_BACK_DAYS = 90;
const PAGE = 500;
/** Components and environments whose samples are remembered. */
const MAX_REMEMBERED = 5000;
const COMPONENT_FIELDS = [
  'kind',
  'metadata.namespace',
  'metadata.name',
  'metadata.title',
  'metadata.annotations',
  'spec.dependsOn',
  'relations',
];

export interface DoraQuery {
  by: DoraResponse['by'];
  environment?: string;
  days: number;
  /** Only the row of this component, group or path. */
  ref?: string;
}

/** One row before its figures. */
interface Subject {
  entityRef: string;
  title: string;
  components: string[];
}

const titleOf = (entity: Entity) =>
  entity.metadata.title ?? entity.metadata.name;

const ownerOf = (entity: Entity) =>
  entity.relations?.find(({ type }) => type === RELATION_OWNED_BY)?.targetRef;

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
  readonly #catalog: CatalogService;
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
    this.#catalog = options.catalog;
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
    const subjects = await this.#subjects(query, deployed, credentials);
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

  async #subjects(
    { by, ref }: DoraQuery,
    deployed: string[],
    credentials: BackstageCredentials,
  ): Promise<Subject[]> {
    if (ref !== undefined) {
      // Before anything is counted: whoever may not see it gets no figures of it.
      const [entity] = await this.#byRefs([ref], credentials);
      if (!entity) {
        throw new NotFoundError(`ref: there is no ${ref} in the catalog`);
      }
      if (by === 'component') {
        return [{ entityRef: ref, title: titleOf(entity), components: [ref] }];
      }
    }
    if (by === 'path') {
      return this.#paths(ref, credentials);
    }
    const components = await this.#byRefs(deployed, credentials);
    if (by === 'component') {
      return components.map(entity => {
        const entityRef = stringifyEntityRef(entity);
        return { entityRef, title: titleOf(entity), components: [entityRef] };
      });
    }
    return this.#teams(ref, components, credentials);
  }

  async #teams(
    ref: string | undefined,
    components: Entity[],
    credentials: BackstageCredentials,
  ): Promise<Subject[]> {
    const owned = new Map<string, string[]>(ref ? [[ref, []]] : []);
    for (const entity of components) {
      const owner = ownerOf(entity);
      if (owner && (ref === undefined || owner === ref)) {
        const refs = owned.get(owner) ?? [];
        owned.set(owner, [...refs, stringifyEntityRef(entity)]);
      }
    }
    const owners = await this.#byRefs([...owned.keys()], credentials);
    const titles = new Map(
      owners.map(entity => {
        const { displayName } = (entity.spec?.profile ?? {}) as {
          displayName?: string;
        };
        return [stringifyEntityRef(entity), displayName ?? titleOf(entity)];
      }),
    );
    return [...owned].map(([entityRef, refs]) => ({
      entityRef,
      title: titles.get(entityRef) ?? parseEntityRef(entityRef).name,
      components: refs,
    }));
  }

  async #paths(
    ref: string | undefined,
    credentials: BackstageCredentials,
  ): Promise<Subject[]> {
    const paths = (
      ref
        ? await this.#byRefs([ref], credentials, [])
        : await this.#query({ kind: 'criticalpath' }, [], credentials)
    ).flatMap(entity => {
      try {
        return [parseCriticalPath(entity)];
      } catch {
        // The catalog says what is wrong with it.
        return [];
      }
    });
    const joining = await this.#query(
      {
        kind: 'component',
        [`metadata.annotations.${ANNOTATION_CRITICAL_PATH}`]:
          CATALOG_FILTER_EXISTS,
      },
      COMPONENT_FIELDS,
      credentials,
    );
    const named = await this.#byRefs(
      [
        ...new Set(
          paths.flatMap(path => path.steps.map(step => step.componentRef)),
        ),
      ],
      credentials,
    );
    const index = indexComponents([...joining, ...named]);
    return paths.map(path => ({
      entityRef: path.entityRef,
      title: path.title,
      components: [
        ...new Set(
          resolvePath(path, index)
            .steps.flatMap(step => step.members)
            .filter(member => member.known)
            .map(member => member.entityRef),
        ),
      ],
    }));
  }

  /** Those of them that the caller may see. */
  async #byRefs(
    entityRefs: string[],
    credentials: BackstageCredentials,
    fields = [...COMPONENT_FIELDS, 'spec.profile'],
  ): Promise<Entity[]> {
    const found: Entity[] = [];
    for (let i = 0; i < entityRefs.length; i += PAGE) {
      const { items } = await catalogAnswers(() =>
        this.#catalog.getEntitiesByRefs(
          {
            entityRefs: entityRefs.slice(i, i + PAGE),
            ...(fields.length > 0 ? { fields } : {}),
          },
          { credentials },
        ),
      );
      found.push(...items.filter(item => item !== undefined));
    }
    return found;
  }

  async #query(
    filter: Record<string, string | symbol>,
    fields: string[],
    credentials: BackstageCredentials,
  ): Promise<Entity[]> {
    const found: Entity[] = [];
    const options = { ...(fields.length > 0 ? { fields } : {}), limit: PAGE };
    const ask = (cursor: string | undefined) =>
      catalogAnswers(() =>
        this.#catalog.queryEntities(
          cursor ? { ...options, cursor } : { ...options, filter },
          { credentials },
        ),
      );
    let page = await ask(undefined);
    found.push(...page.items);
    while (page.pageInfo.nextCursor) {
      page = await ask(page.pageInfo.nextCursor);
      found.push(...page.items);
    }
    return found;
  }
}
