/** Entities, their tags, and the search for them. */
export const ENTITIES_SDL = /* GraphQL */ `
  scalar EntityGuid
  scalar EntitySearchQuery

  extend type Actor {
    entity(guid: EntityGuid!): Entity
    entities(guids: [EntityGuid]!): [Entity]
    entitySearch(query: String): EntitySearch
  }

  enum EntityType {
    APM_APPLICATION_ENTITY
    DASHBOARD_ENTITY
    EXTERNAL_ENTITY
    GENERIC_ENTITY
  }

  enum EntityAlertSeverity {
    CRITICAL
    NOT_ALERTING
    NOT_CONFIGURED
    WARNING
  }

  type EntityTag {
    key: String
    values: [String]
  }

  type ApmApplicationSummaryData {
    apdexScore: Float
    "Percent."
    errorRate: Float
    "Seconds."
    responseTimeAverage: Float
    "Requests per minute."
    throughput: Float
    webThroughput: Float
  }

  type EntityGoldenMetricDefinition {
    eventId: String
    eventObjectId: String
    facet: String
    from: String
    select: String
    where: String
  }

  type EntityGoldenMetric {
    name: String
    title: String
    unit: String
    metricName: String
    query: String
    definition: EntityGoldenMetricDefinition
  }

  type EntityGoldenContextScopedGoldenMetrics {
    metrics: [EntityGoldenMetric]
  }

  interface AlertableEntityOutline {
    alertSeverity: EntityAlertSeverity
  }

  interface AlertableEntity {
    alertSeverity: EntityAlertSeverity
  }

  interface EntityOutline {
    guid: EntityGuid
    accountId: Int
    account: AccountOutline
    name: String
    domain: String
    type: String
    entityType: EntityType
    reporting: Boolean
    permalink: String
    tags: [EntityTag]
    goldenMetrics: EntityGoldenContextScopedGoldenMetrics
  }

  interface Entity {
    guid: EntityGuid
    accountId: Int
    account: AccountOutline
    name: String
    domain: String
    type: String
    entityType: EntityType
    reporting: Boolean
    permalink: String
    tags: [EntityTag]
    goldenMetrics: EntityGoldenContextScopedGoldenMetrics
    nrdbQuery(
      nrql: Nrql!
      timeout: Seconds
      async: Boolean
    ): NrdbResultContainer
    serviceLevel: ServiceLevelDefinition
  }

  type ExternalEntityOutline implements EntityOutline & AlertableEntityOutline {
    guid: EntityGuid
    accountId: Int
    account: AccountOutline
    name: String
    domain: String
    type: String
    entityType: EntityType
    reporting: Boolean
    permalink: String
    tags: [EntityTag]
    goldenMetrics: EntityGoldenContextScopedGoldenMetrics
    alertSeverity: EntityAlertSeverity
  }

  type ApmApplicationEntityOutline implements EntityOutline & AlertableEntityOutline {
    guid: EntityGuid
    accountId: Int
    account: AccountOutline
    name: String
    domain: String
    type: String
    entityType: EntityType
    reporting: Boolean
    permalink: String
    tags: [EntityTag]
    goldenMetrics: EntityGoldenContextScopedGoldenMetrics
    alertSeverity: EntityAlertSeverity
    applicationId: Int
    language: String
    apmSummary: ApmApplicationSummaryData
  }

  type ApmApplicationEntity implements Entity & AlertableEntity {
    guid: EntityGuid
    accountId: Int
    account: AccountOutline
    name: String
    domain: String
    type: String
    entityType: EntityType
    reporting: Boolean
    permalink: String
    tags: [EntityTag]
    goldenMetrics: EntityGoldenContextScopedGoldenMetrics
    nrdbQuery(
      nrql: Nrql!
      timeout: Seconds
      async: Boolean
    ): NrdbResultContainer
    serviceLevel: ServiceLevelDefinition
    alertSeverity: EntityAlertSeverity
    applicationId: Int
    language: String
    apmSummary: ApmApplicationSummaryData
  }

  type ExternalEntity implements Entity & AlertableEntity {
    guid: EntityGuid
    accountId: Int
    account: AccountOutline
    name: String
    domain: String
    type: String
    entityType: EntityType
    reporting: Boolean
    permalink: String
    tags: [EntityTag]
    goldenMetrics: EntityGoldenContextScopedGoldenMetrics
    nrdbQuery(
      nrql: Nrql!
      timeout: Seconds
      async: Boolean
    ): NrdbResultContainer
    serviceLevel: ServiceLevelDefinition
    alertSeverity: EntityAlertSeverity
  }

  "Alert policies and conditions."
  type GenericEntityOutline implements EntityOutline {
    guid: EntityGuid
    accountId: Int
    account: AccountOutline
    name: String
    domain: String
    type: String
    entityType: EntityType
    reporting: Boolean
    permalink: String
    tags: [EntityTag]
    goldenMetrics: EntityGoldenContextScopedGoldenMetrics
  }

  type GenericEntity implements Entity {
    guid: EntityGuid
    accountId: Int
    account: AccountOutline
    name: String
    domain: String
    type: String
    entityType: EntityType
    reporting: Boolean
    permalink: String
    tags: [EntityTag]
    goldenMetrics: EntityGoldenContextScopedGoldenMetrics
    nrdbQuery(
      nrql: Nrql!
      timeout: Seconds
      async: Boolean
    ): NrdbResultContainer
    serviceLevel: ServiceLevelDefinition
  }

  type EntitySearch {
    count: Int
    query: String
    results(cursor: String): EntitySearchResult
  }

  type EntitySearchResult {
    nextCursor: String
    entities: [EntityOutline]
  }
`;
