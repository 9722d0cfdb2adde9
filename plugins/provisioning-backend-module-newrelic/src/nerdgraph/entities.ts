import type { Dashboard } from '../desired/dashboard';
import type { ServiceLevel } from '../desired/serviceLevels';
import type { NerdGraph, Scope } from './NerdGraph';

export interface Tag {
  key: string;
  values: string[];
}

export interface FoundEntity {
  guid: string;
  name: string;
  tags: Tag[];
}

export interface Indicator {
  guid: string;
  name: string;
  description: string | null;
  [field: string]: unknown;
}

export interface FoundDashboard {
  guid: string;
  name: string;
  description: string | null;
  permissions: string;
  pages: Dashboard['pages'];
}

const SEARCH = `query RocketEntities($query: String!, $cursor: String) {
  actor { entitySearch(query: $query) { results(cursor: $cursor) {
    nextCursor
    entities { guid name tags { key values } ... on DashboardEntityOutline { dashboardParentGuid } }
  } } }
}`;

const INDICATOR = `guid name description
  events { validEvents { from where } goodEvents { from where } badEvents { from where } }
  objectives { target timeWindow { rolling { count unit } } }`;

const INDICATORS = `query RocketIndicators($guid: EntityGuid!) {
  actor { entity(guid: $guid) { serviceLevel { indicators { ${INDICATOR} } } } }
}`;
const CREATE_LEVEL = `mutation RocketCreateServiceLevel($guid: EntityGuid!, $indicator: ServiceLevelIndicatorCreateInput!) {
  serviceLevelCreate(entityGuid: $guid, indicator: $indicator) { ${INDICATOR} }
}`;
const UPDATE_LEVEL = `mutation RocketUpdateServiceLevel($guid: EntityGuid!, $indicator: ServiceLevelIndicatorUpdateInput!) {
  serviceLevelUpdate(guid: $guid, indicator: $indicator) { guid }
}`;
const DELETE_LEVEL = `mutation RocketDeleteServiceLevel($guid: EntityGuid!) {
  serviceLevelDelete(guid: $guid) { guid }
}`;

const DASHBOARD = `query RocketDashboard($guid: EntityGuid!) {
  actor { entity(guid: $guid) { guid name ... on DashboardEntity {
    description permissions
    pages { name description widgets { title layout { column row width height } visualization { id } rawConfiguration } }
  } } }
}`;
const CREATE_DASHBOARD = `mutation RocketCreateDashboard($account: Int!, $dashboard: DashboardInput!) {
  dashboardCreate(accountId: $account, dashboard: $dashboard) { entityResult { guid } errors { type description } }
}`;
const UPDATE_DASHBOARD = `mutation RocketUpdateDashboard($guid: EntityGuid!, $dashboard: DashboardInput!) {
  dashboardUpdate(guid: $guid, dashboard: $dashboard) { entityResult { guid } errors { type description } }
}`;
const DELETE_DASHBOARD = `mutation RocketDeleteDashboard($guid: EntityGuid!) {
  dashboardDelete(guid: $guid) { status errors { type description } }
}`;

const TAGS = `query RocketTags($guid: EntityGuid!) {
  actor { entity(guid: $guid) { guid name tags { key values } } }
}`;
const ADD_TAGS = `mutation RocketAddTags($guid: EntityGuid!, $tags: [TaggingTagInput!]!) {
  taggingAddTagsToEntity(guid: $guid, tags: $tags) { errors { type message } }
}`;
const DELETE_TAG_VALUES = `mutation RocketDeleteTags($guid: EntityGuid!, $tagValues: [TaggingTagValueInput!]!) {
  taggingDeleteTagValuesFromEntity(guid: $guid, tagValues: $tagValues) { errors { type message } }
}`;

/** A text as a literal of an entity search. */
const literal = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;

/** Entities of an account, and what belongs to them: service levels, dashboards, tags. */
export class EntitiesApi {
  constructor(private readonly nerdGraph: NerdGraph) {}

  /** Applications of these names, from an agent or OpenTelemetry; at most 50 names. */
  async applications(scope: Scope, names: string[]): Promise<FoundEntity[]> {
    const found = await this.search(
      scope,
      `accountId = ${
        scope.account.id
      } AND domain IN ('APM', 'EXT') AND type IN ('APPLICATION', 'SERVICE') AND name IN (${names
        .map(literal)
        .join(', ')})`,
    );
    // New Relic's search takes upper and lower case for the same.
    return found.filter(({ name }) => names.includes(name));
  }

  async dashboardsNamed(scope: Scope, name: string): Promise<FoundDashboard[]> {
    const found = await this.search(
      scope,
      `accountId = ${
        scope.account.id
      } AND type = 'DASHBOARD' AND name = ${literal(name)}`,
    );
    const dashboards = await Promise.all(
      found
        .filter(entity => entity.name === name && !entity.dashboardParentGuid)
        .map(({ guid }) => this.dashboard(scope, guid)),
    );
    return dashboards.filter(dashboard => dashboard !== undefined);
  }

  async dashboard(
    scope: Scope,
    guid: string,
  ): Promise<FoundDashboard | undefined> {
    const { actor } = await this.nerdGraph.read<any>(scope, {
      query: DASHBOARD,
      variables: { guid },
    });
    return actor.entity ?? undefined;
  }

  async createDashboard(scope: Scope, dashboard: Dashboard): Promise<string> {
    const { entityResult } = await this.nerdGraph.change<any>(
      scope,
      'dashboardCreate',
      {
        query: CREATE_DASHBOARD,
        variables: { account: scope.account.id, dashboard },
      },
    );
    return entityResult.guid;
  }

  async updateDashboard(
    scope: Scope,
    guid: string,
    dashboard: Dashboard,
  ): Promise<void> {
    await this.nerdGraph.change(
      scope,
      'dashboardUpdate',
      { query: UPDATE_DASHBOARD, variables: { guid, dashboard } },
      { repeatable: true },
    );
  }

  deleteDashboard(scope: Scope, guid: string): Promise<void> {
    return this.nerdGraph.remove(scope, 'dashboardDelete', {
      query: DELETE_DASHBOARD,
      variables: { guid },
    });
  }

  /** Null, not [], is what New Relic answers when there are none. */
  async indicators(scope: Scope, guid: string): Promise<Indicator[]> {
    const { actor } = await this.nerdGraph.read<any>(scope, {
      query: INDICATORS,
      variables: { guid },
    });
    return actor.entity?.serviceLevel?.indicators ?? [];
  }

  createLevel(
    scope: Scope,
    guid: string,
    level: ServiceLevel,
  ): Promise<Indicator> {
    const { id: accountId } = scope.account;
    return this.nerdGraph.change(scope, 'serviceLevelCreate', {
      query: CREATE_LEVEL,
      variables: {
        guid,
        indicator: { ...level, events: { accountId, ...level.events } },
      },
    });
  }

  async updateLevel(
    scope: Scope,
    guid: string,
    level: ServiceLevel,
  ): Promise<void> {
    await this.nerdGraph.change(
      scope,
      'serviceLevelUpdate',
      { query: UPDATE_LEVEL, variables: { guid, indicator: level } },
      { repeatable: true },
    );
  }

  deleteLevel(scope: Scope, guid: string): Promise<void> {
    return this.nerdGraph.remove(scope, 'serviceLevelDelete', {
      query: DELETE_LEVEL,
      variables: { guid },
    });
  }

  async entity(scope: Scope, guid: string): Promise<FoundEntity | undefined> {
    const { actor } = await this.nerdGraph.read<any>(scope, {
      query: TAGS,
      variables: { guid },
    });
    return actor.entity ?? undefined;
  }

  async addTags(scope: Scope, guid: string, tags: Tag[]): Promise<void> {
    await this.nerdGraph.change(
      scope,
      'taggingAddTagsToEntity',
      { query: ADD_TAGS, variables: { guid, tags } },
      { repeatable: true },
    );
  }

  deleteTagValues(
    scope: Scope,
    guid: string,
    tagValues: { key: string; value: string }[],
  ): Promise<void> {
    return this.nerdGraph.remove(scope, 'taggingDeleteTagValuesFromEntity', {
      query: DELETE_TAG_VALUES,
      variables: { guid, tagValues },
    });
  }

  private search(
    scope: Scope,
    query: string,
  ): Promise<(FoundEntity & { dashboardParentGuid?: string | null })[]> {
    return this.nerdGraph.pages(
      scope,
      { query: SEARCH, variables: { query } },
      data => {
        const { results } = data.actor.entitySearch;
        return { ...results, items: results.entities };
      },
    );
  }
}
