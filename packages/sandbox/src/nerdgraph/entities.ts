import { runNrql } from '../nrql/runNrql';
import { Application, EventStore, SandboxAccount } from '../store/EventStore';
import type { ManagedObjects } from '../store/ManagedObjects';
import { Dashboards } from './dashboards';
import { entityFilter, SearchableEntity } from './entitySearch';
import { nerdGraphError } from './errors';
import { type OtherEntity, OtherEntities } from './otherEntities';
import { ServiceLevelDefinitions } from './serviceLevels';

const PAGE = 200;
/** An application reports when it had a request within this time. */
const REPORTING = '30 minutes';

/** Signals of an application over the last half hour. */
interface Signals {
  count: number;
  rpm: number;
  seconds: number | null;
  errors: number | null;
  apdex: { score: number | null };
}

/** Entities of one account, as NerdGraph shows them. */
export class Entities {
  readonly levels: ServiceLevelDefinitions;
  readonly dashboards: Dashboards;
  readonly others: OtherEntities;
  private signals: Promise<Map<string, Signals>> | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly managed: ManagedObjects,
    private readonly account: SandboxAccount,
    private readonly now: number,
  ) {
    this.levels = new ServiceLevelDefinitions({
      managed,
      account,
      scenario: () => store.serviceLevels.list(),
      applicationName: guid => this.find(guid)?.appName,
      now,
    });
    this.dashboards = new Dashboards(managed, account, now);
    this.others = new OtherEntities({
      managed,
      account,
      levels: this.levels,
      dashboards: this.dashboards,
    });
  }

  /** An entity by GUID; null when this account has none of that GUID. */
  find(guid: string): Application | null {
    const application = this.store.applications.find(guid);
    return application?.accountId === this.account.id ? application : null;
  }

  async search(query: string): Promise<Application[]> {
    const filter = query.trim() === '' ? () => true : entityFilter(query);
    const found: Application[] = [];
    for (const application of this.applications()) {
      if (filter(await this.searchable(application))) found.push(application);
    }
    return found.sort((a, b) => (a.appName < b.appName ? -1 : 1));
  }

  /** Whatever is no application and is found by a search. */
  searchOthers(query: string): OtherEntity[] {
    return this.others.search(
      query.trim() === '' ? () => true : entityFilter(query),
    );
  }

  /** A page of a search. A cursor is opaque; null ends the pages. */
  page(
    found: (Application | OtherEntity)[],
    cursor: string | null | undefined,
  ) {
    let offset = 0;
    if (cursor) {
      offset = Number(Buffer.from(cursor, 'base64').toString());
      if (!Number.isInteger(offset) || offset < 0) {
        throw nerdGraphError('Invalid cursor', 'BAD_USER_INPUT');
      }
    }
    const end = offset + PAGE;
    return {
      nextCursor:
        end < found.length ? Buffer.from(String(end)).toString('base64') : null,
      entities: found
        .slice(offset, end)
        .map(entity =>
          isApplication(entity) ? this.show(entity, true) : entity,
        ),
    };
  }

  /** The entity as an object for GraphQL. */
  show(application: Application, outline: boolean) {
    const { accountId, appName, applicationId, guid, language } = application;
    return {
      __typename: outline
        ? 'ApmApplicationEntityOutline'
        : 'ApmApplicationEntity',
      guid,
      accountId,
      account: { id: accountId, name: this.account.name },
      name: appName,
      domain: 'APM',
      type: 'APPLICATION',
      entityType: 'APM_APPLICATION_ENTITY',
      alertSeverity: 'NOT_CONFIGURED',
      applicationId,
      language: language ?? null,
      permalink: `https://one.newrelic.com/redirect/entity/${guid}`,
      tags: [...this.tags(application)].map(([key, values]) => ({
        key,
        values,
      })),
      goldenMetrics: { metrics: goldenMetrics(appName) },
      serviceLevel: () => ({ indicators: this.levels.indicatorsOf(guid) }),
      reporting: async () => this.reporting(application),
      apmSummary: async () => {
        const signals = (await this.allSignals()).get(appName);
        if (!signals) return null;
        return {
          apdexScore: signals.apdex.score,
          errorRate: signals.errors,
          responseTimeAverage: signals.seconds,
          throughput: signals.rpm,
          webThroughput: signals.rpm,
        };
      },
    };
  }

  private applications(): Application[] {
    return this.store.applications
      .list()
      .filter(({ accountId }) => accountId === this.account.id);
  }

  private tags(application: Application): Map<string, string[]> {
    const tags = new Map<string, string[]>([
      ['account', [this.account.name]],
      ['accountId', [String(this.account.id)]],
    ]);
    if (application.language) tags.set('language', [application.language]);
    for (const [key, value] of Object.entries(application.labels)) {
      tags.set(key, [value]);
    }
    for (const [key, values] of this.managed.tagsOf(application.guid)) {
      tags.set(key, [...new Set([...(tags.get(key) ?? []), ...values])]);
    }
    return tags;
  }

  private async searchable(
    application: Application,
  ): Promise<SearchableEntity> {
    const reporting = await this.reporting(application);
    return {
      properties: {
        id: application.guid,
        accountId: String(application.accountId),
        name: application.appName,
        domain: 'APM',
        domainId: String(application.applicationId),
        type: 'APPLICATION',
        alertSeverity: 'NOT_CONFIGURED',
        reporting: String(reporting),
      },
      tags: new Map(
        [...this.tags(application)].map(([key, values]) => [
          key.toLowerCase(),
          values,
        ]),
      ),
    };
  }

  private async reporting({ appName }: Application): Promise<boolean> {
    return (await this.allSignals()).has(appName);
  }

  private allSignals(): Promise<Map<string, Signals>> {
    this.signals ??= runNrql(
      this.store,
      [this.account.id],
      `SELECT count(*) AS count, rate(count(*), 1 minute) AS rpm, average(duration) AS seconds, percentage(count(*), WHERE error IS TRUE) AS errors, apdex(duration) AS apdex FROM Transaction FACET appName SINCE ${REPORTING} ago LIMIT MAX EXTRAPOLATE`,
      this.now,
    ).then(
      ({ results }) =>
        new Map(
          results.map(row => [String(row.facet), row as unknown as Signals]),
        ),
    );
    return this.signals;
  }
}

function isApplication(
  entity: Application | OtherEntity,
): entity is Application {
  return 'applicationId' in entity;
}

function goldenMetrics(appName: string) {
  const literal = `'${appName.replace(/[\\']/g, '\\$&')}'`;
  const where = `appName = ${literal}`;
  const metric = (
    name: string,
    title: string,
    unit: string,
    select: string,
  ) => ({
    name,
    title,
    unit,
    metricName: `newrelic.goldenmetrics.apm.application.${name}`,
    query: `SELECT ${select} AS '${title}' FROM Transaction WHERE ${where} TIMESERIES`,
    definition: {
      eventId: 'appName',
      eventObjectId: 'name',
      facet: 'appName',
      from: 'Transaction',
      select,
      where,
    },
  });
  return [
    metric(
      'responseTimeMs',
      'Response time (ms)',
      'MS',
      'average(duration) * 1000',
    ),
    metric(
      'throughput',
      'Throughput',
      'REQUESTS_PER_MINUTE',
      'rate(count(*), 1 minute)',
    ),
    metric(
      'errorRate',
      'Error rate',
      'PERCENTAGE',
      'percentage(count(*), WHERE error IS TRUE)',
    ),
  ];
}
