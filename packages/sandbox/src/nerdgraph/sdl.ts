/** The part of NerdGraph that the sandbox answers, in New Relic's names. */
export const SDL = /* GraphQL */ `
  scalar Nrql
  scalar Seconds
  scalar EpochMilliseconds
  scalar EpochSeconds
  scalar EntityGuid
  scalar EntitySearchQuery
  scalar NrdbResult
  scalar NrdbRawResults
  scalar ChangeTrackingRawCustomAttributesMap

  schema {
    query: RootQueryType
    mutation: RootMutationType
  }

  type RootQueryType {
    actor: Actor
    requestContext: RequestContext
  }

  type RequestContext {
    "A part of the key, for diagnosis."
    apiKey: String
    userId: ID
  }

  type Actor {
    user: User
    accounts: [AccountOutline]
    account(id: Int!): Account
    nrql(
      accounts: [Int!]!
      query: Nrql!
      options: NrqlQueryOptions
      timeout: Seconds
      async: Boolean
    ): NrdbResultContainer
    entity(guid: EntityGuid!): Entity
    entities(guids: [EntityGuid]!): [Entity]
    entitySearch(query: String): EntitySearch
  }

  type User {
    id: Int
    name: String
    email: String
  }

  type AccountOutline {
    id: Int
    name: String
    reportingEventTypes: [String]
  }

  type Account {
    id: Int
    name: String
    nrql(
      query: Nrql!
      options: NrqlQueryOptions
      timeout: Seconds
      async: Boolean
    ): NrdbResultContainer
    reportingEventTypes: [String]
  }

  input NrqlQueryOptions {
    eventNamespaces: [String]
  }

  type NrdbResultContainer {
    nrql: Nrql
    results: [NrdbResult]
    totalResult: NrdbResult
    otherResult: NrdbResult
    currentResults: [NrdbResult]
    previousResults: [NrdbResult]
    metadata: NrdbMetadata
    queryProgress: NrqlQueryProgress
    rawResponse: NrdbRawResults
  }

  type NrdbMetadata {
    eventTypes: [String]
    facets: [String]
    messages: [String]
    timeWindow: NrdbMetadataTimeWindow
  }

  type NrdbMetadataTimeWindow {
    begin: EpochMilliseconds
    end: EpochMilliseconds
    since: String
    until: String
    compareWith: String
  }

  type NrqlQueryProgress {
    completed: Boolean
    queryId: ID
    resultExpiration: EpochSeconds
    retryAfter: Seconds
    retryDeadline: Seconds
  }

  enum EntityType {
    APM_APPLICATION_ENTITY
    EXTERNAL_ENTITY
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

  type ServiceLevelDefinition {
    "Null, not empty, when there are none."
    indicators: [ServiceLevelIndicator!]
  }

  type ServiceLevelIndicator {
    id: ID
    guid: EntityGuid
    name: String
    description: String
    "The application that it is attached to."
    entityGuid: EntityGuid
    createdAt: EpochMilliseconds
    events: ServiceLevelEvents
    objectives: [ServiceLevelObjective!]
    resultQueries: ServiceLevelIndicatorResultQueries
  }

  type ServiceLevelEvents {
    account: AccountOutline
    validEvents: ServiceLevelEventsQuery
    goodEvents: ServiceLevelEventsQuery
    badEvents: ServiceLevelEventsQuery
  }

  type ServiceLevelEventsQuery {
    from: Nrql
    where: Nrql
    select: ServiceLevelEventsQuerySelect
  }

  type ServiceLevelEventsQuerySelect {
    attribute: String
    function: String
    threshold: Float
  }

  type ServiceLevelObjective {
    name: String
    description: String
    target: Float
    timeWindow: ServiceLevelObjectiveTimeWindow
    resultQueries: ServiceLevelObjectiveResultQueries
  }

  type ServiceLevelObjectiveTimeWindow {
    rolling: ServiceLevelObjectiveRollingTimeWindow
  }

  type ServiceLevelObjectiveRollingTimeWindow {
    count: Int
    unit: ServiceLevelObjectiveRollingTimeWindowUnit
  }

  enum ServiceLevelObjectiveRollingTimeWindowUnit {
    DAY
  }

  type ServiceLevelObjectiveResultQueries {
    attainment: ServiceLevelResultQuery
  }

  type ServiceLevelIndicatorResultQueries {
    indicator: ServiceLevelResultQuery
    goodEvents: ServiceLevelResultQuery
    validEvents: ServiceLevelResultQuery
  }

  type ServiceLevelResultQuery {
    nrql: Nrql
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

  type EntitySearch {
    count: Int
    query: String
    results(cursor: String): EntitySearchResult
  }

  type EntitySearchResult {
    nextCursor: String
    entities: [EntityOutline]
  }

  type RootMutationType {
    changeTrackingCreateDeployment(
      deployment: ChangeTrackingDeploymentInput!
      dataHandlingRules: ChangeTrackingDataHandlingRules
    ): ChangeTrackingDeployment
    changeTrackingCreateEvent(
      changeTrackingEvent: ChangeTrackingCreateEventInput!
      dataHandlingRules: ChangeTrackingDataHandlingRules
    ): ChangeTrackingCreateEventResponse
  }

  enum ChangeTrackingDeploymentType {
    BASIC
    BLUE_GREEN
    CANARY
    OTHER
    ROLLING
    SHADOW
  }

  enum ChangeTrackingValidationFlag {
    ALLOW_CUSTOM_CATEGORY_OR_TYPE
    FAIL_ON_FIELD_LENGTH
    FAIL_ON_REST_API_FAILURES
  }

  input ChangeTrackingDataHandlingRules {
    validationFlags: [ChangeTrackingValidationFlag!]
  }

  input ChangeTrackingDeploymentInput {
    changelog: String
    commit: String
    deepLink: String
    deploymentType: ChangeTrackingDeploymentType
    description: String
    entityGuid: EntityGuid!
    groupId: String
    timestamp: EpochMilliseconds
    user: String
    version: String!
  }

  type ChangeTrackingDeployment {
    changelog: String
    commit: String
    deepLink: String
    deploymentId: String
    deploymentType: ChangeTrackingDeploymentType
    description: String
    entityGuid: EntityGuid
    groupId: String
    timestamp: EpochMilliseconds
    user: String
    version: String
  }

  input ChangeTrackingCategoryAndTypeInput {
    kind: ChangeTrackingCategoryKindInput
    categoryFields: ChangeTrackingCategoryFieldsInput
  }

  input ChangeTrackingCategoryKindInput {
    category: String!
    type: String!
  }

  input ChangeTrackingCategoryFieldsInput {
    deployment: ChangeTrackingDeploymentFieldsInput
    featureFlag: ChangeTrackingFeatureFlagFieldsInput
  }

  input ChangeTrackingDeploymentFieldsInput {
    version: String!
    commit: String
    changelog: String
    deepLink: String
  }

  input ChangeTrackingFeatureFlagFieldsInput {
    featureFlagId: String!
  }

  input ChangeTrackingEntitySearchInput {
    query: String!
  }

  input ChangeTrackingCreateEventInput {
    categoryAndTypeData: ChangeTrackingCategoryAndTypeInput!
    entitySearch: ChangeTrackingEntitySearchInput!
    customAttributes: ChangeTrackingRawCustomAttributesMap
    description: String
    groupId: String
    shortDescription: String
    timestamp: EpochMilliseconds
    user: String
  }

  type ChangeTrackingCreateEventResponse {
    changeTrackingEvent: ChangeTrackingEvent
    messages: [String]
  }

  interface ChangeTrackingEvent {
    changeTrackingId: ID
    category: String
    type: String
    categoryAndType: String
    customAttributes: ChangeTrackingRawCustomAttributesMap
    description: String
    entity: EntityOutline
    groupId: String
    shortDescription: String
    timestamp: EpochMilliseconds
    user: String
  }

  type ChangeTrackingGenericEvent implements ChangeTrackingEvent {
    changeTrackingId: ID
    category: String
    type: String
    categoryAndType: String
    customAttributes: ChangeTrackingRawCustomAttributesMap
    description: String
    entity: EntityOutline
    groupId: String
    shortDescription: String
    timestamp: EpochMilliseconds
    user: String
  }

  type ChangeTrackingDeploymentEvent implements ChangeTrackingEvent {
    changeTrackingId: ID
    category: String
    type: String
    categoryAndType: String
    customAttributes: ChangeTrackingRawCustomAttributesMap
    description: String
    entity: EntityOutline
    groupId: String
    shortDescription: String
    timestamp: EpochMilliseconds
    user: String
    version: String
    commit: String
    changelog: String
    deepLink: String
  }

  type ChangeTrackingFeatureFlagEvent implements ChangeTrackingEvent {
    changeTrackingId: ID
    category: String
    type: String
    categoryAndType: String
    customAttributes: ChangeTrackingRawCustomAttributesMap
    description: String
    entity: EntityOutline
    groupId: String
    shortDescription: String
    timestamp: EpochMilliseconds
    user: String
    featureFlagId: String
  }
`;
