import type { SandboxAccount } from '../store/EventStore';
import {
  conditionGuid,
  type ManagedObjects,
  policyGuid,
} from '../store/ManagedObjects';
import type { Dashboards } from './dashboards';
import type { SearchableEntity } from './entitySearch';
import {
  type ServiceLevelDefinitions,
  serviceLevelTags,
} from './serviceLevels';

type Tag = { key: string; values: string[] };

/** An entity that is no application, in the shape that GraphQL shows. */
export interface OtherEntity extends Record<string, unknown> {
  guid: string;
  name: string;
  domain: string;
  type: string;
  tags: Tag[];
}

/** Service levels, dashboards, alert policies and conditions as entities of one account. */
export class OtherEntities {
  constructor(
    private readonly options: {
      managed: ManagedObjects;
      account: SandboxAccount;
      levels: ServiceLevelDefinitions;
      dashboards: Dashboards;
    },
  ) {}

  find(guid: string): OtherEntity | undefined {
    return this.list(false).find(entity => entity.guid === guid);
  }

  search(filter: (entity: SearchableEntity) => boolean): OtherEntity[] {
    return this.list(true).filter(entity => filter(this.searchable(entity)));
  }

  private list(outline: boolean): OtherEntity[] {
    const { managed, account, levels, dashboards } = this.options;
    const mine = ({ accountId }: { accountId: number }) =>
      accountId === account.id;
    const suffix = outline ? 'Outline' : '';
    return [
      ...levels.list().map(level =>
        this.entity({
          __typename: `ExternalEntity${suffix}`,
          guid: level.guid,
          name: level.name,
          domain: 'EXT',
          type: 'SERVICE_LEVEL',
          entityType: 'EXTERNAL_ENTITY',
          tags: serviceLevelTags(level),
        }),
      ),
      ...dashboards.list().map(dashboard =>
        this.entity({
          ...dashboard,
          __typename: `DashboardEntity${suffix}`,
          domain: 'VIZ',
          type: 'DASHBOARD',
          entityType: 'DASHBOARD_ENTITY',
          dashboardParentGuid: null,
          tags: [],
        }),
      ),
      ...managed.state.policies.filter(mine).map(policy =>
        this.entity({
          __typename: `GenericEntity${suffix}`,
          guid: policyGuid(policy),
          name: policy.name,
          domain: 'AIOPS',
          type: 'POLICY',
          entityType: 'GENERIC_ENTITY',
          tags: [],
        }),
      ),
      ...managed.state.conditions.filter(mine).map(condition =>
        this.entity({
          __typename: `GenericEntity${suffix}`,
          guid: conditionGuid(condition),
          name: condition.definition.name,
          domain: 'AIOPS',
          type: 'CONDITION',
          entityType: 'GENERIC_ENTITY',
          tags: [],
        }),
      ),
    ];
  }

  private entity(own: OtherEntity): OtherEntity {
    const { managed, account } = this.options;
    return {
      accountId: account.id,
      account: { id: account.id, name: account.name },
      alertSeverity: 'NOT_CONFIGURED',
      reporting: true,
      permalink: `https://one.newrelic.com/redirect/entity/${own.guid}`,
      goldenMetrics: { metrics: [] },
      serviceLevel: { indicators: null },
      ...own,
      tags: [
        ...own.tags,
        ...[...managed.tagsOf(own.guid)].map(([key, values]) => ({
          key,
          values,
        })),
      ],
    };
  }

  private searchable({
    guid,
    name,
    domain,
    type,
    tags,
  }: OtherEntity): SearchableEntity {
    return {
      properties: {
        id: guid,
        accountId: String(this.options.account.id),
        name,
        domain,
        domainId: Buffer.from(guid, 'base64').toString().split('|')[3],
        type,
        alertSeverity: 'NOT_CONFIGURED',
        reporting: 'true',
      },
      tags: new Map(tags.map(({ key, values }) => [key.toLowerCase(), values])),
    };
  }
}
