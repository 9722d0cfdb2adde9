/** Service levels of an entity. */
export const SERVICE_LEVELS_SDL = /* GraphQL */ `
  extend type RootMutationType {
    serviceLevelCreate(
      entityGuid: EntityGuid!
      indicator: ServiceLevelIndicatorCreateInput!
    ): ServiceLevelIndicator
    serviceLevelUpdate(
      guid: EntityGuid
      id: ID
      indicator: ServiceLevelIndicatorUpdateInput!
    ): ServiceLevelIndicator
    serviceLevelDelete(guid: EntityGuid, id: ID): ServiceLevelIndicator
  }

  input ServiceLevelIndicatorCreateInput {
    name: String!
    description: String
    slug: String
    events: ServiceLevelEventsCreateInput!
    objectives: [ServiceLevelObjectiveCreateInput!]
  }

  input ServiceLevelIndicatorUpdateInput {
    name: String
    description: String
    events: ServiceLevelEventsUpdateInput
    objectives: [ServiceLevelObjectiveCreateInput!]
  }

  input ServiceLevelEventsCreateInput {
    accountId: Int!
    validEvents: ServiceLevelEventsQueryCreateInput!
    goodEvents: ServiceLevelEventsQueryCreateInput
    badEvents: ServiceLevelEventsQueryCreateInput
  }

  input ServiceLevelEventsUpdateInput {
    validEvents: ServiceLevelEventsQueryCreateInput
    goodEvents: ServiceLevelEventsQueryCreateInput
    badEvents: ServiceLevelEventsQueryCreateInput
  }

  input ServiceLevelEventsQueryCreateInput {
    from: Nrql!
    where: Nrql
    select: ServiceLevelEventsQuerySelectCreateInput
  }

  enum ServiceLevelEventsQuerySelectFunction {
    COUNT
    GET_CDF_COUNT
    GET_FIELD
    SUM
  }

  input ServiceLevelEventsQuerySelectCreateInput {
    attribute: String
    function: ServiceLevelEventsQuerySelectFunction!
    threshold: Float
  }

  input ServiceLevelObjectiveCreateInput {
    name: String
    description: String
    target: Float!
    timeWindow: ServiceLevelObjectiveTimeWindowCreateInput!
  }

  input ServiceLevelObjectiveTimeWindowCreateInput {
    rolling: ServiceLevelObjectiveRollingTimeWindowCreateInput!
  }

  input ServiceLevelObjectiveRollingTimeWindowCreateInput {
    count: Int!
    unit: ServiceLevelObjectiveRollingTimeWindowUnit!
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
`;
