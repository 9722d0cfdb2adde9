/** Dashboards: entities that are made and changed as a whole. */
export const DASHBOARDS_SDL = /* GraphQL */ `
  scalar DashboardWidgetRawConfiguration
  scalar DateTime

  extend type RootMutationType {
    dashboardCreate(
      accountId: Int!
      dashboard: DashboardInput!
    ): DashboardCreateResult
    dashboardUpdate(
      guid: EntityGuid!
      dashboard: DashboardInput!
    ): DashboardUpdateResult
    dashboardDelete(guid: EntityGuid!): DashboardDeleteResult
  }

  enum DashboardPermissions {
    PRIVATE
    PUBLIC_READ_ONLY
    PUBLIC_READ_WRITE
  }

  input DashboardInput {
    name: String!
    description: String
    permissions: DashboardPermissions!
    pages: [DashboardPageInput!]!
    variables: [DashboardVariableInput!]
  }

  input DashboardPageInput {
    guid: EntityGuid
    name: String!
    description: String
    widgets: [DashboardWidgetInput!]!
  }

  input DashboardWidgetInput {
    id: ID
    title: String
    layout: DashboardWidgetLayoutInput
    visualization: DashboardWidgetVisualizationInput
    rawConfiguration: DashboardWidgetRawConfiguration
    linkedEntityGuids: [EntityGuid!]
  }

  input DashboardWidgetLayoutInput {
    column: Int
    height: Int
    row: Int
    width: Int
  }

  input DashboardWidgetVisualizationInput {
    id: String
  }

  input DashboardVariableInput {
    name: String!
    title: String
  }

  type DashboardCreateResult {
    entityResult: DashboardEntityResult
    errors: [DashboardCreateError!]
  }

  type DashboardUpdateResult {
    entityResult: DashboardEntityResult
    errors: [DashboardUpdateError!]
  }

  type DashboardDeleteResult {
    errors: [DashboardDeleteError!]
    status: DashboardDeleteResultStatus
  }

  enum DashboardDeleteResultStatus {
    FAILURE
    SUCCESS
  }

  type DashboardCreateError {
    description: String
    type: DashboardErrorType!
  }

  type DashboardUpdateError {
    description: String
    type: DashboardErrorType!
  }

  type DashboardDeleteError {
    description: String
    type: DashboardErrorType!
  }

  enum DashboardErrorType {
    DASHBOARD_NOT_FOUND
    FORBIDDEN_OPERATION
    INVALID_INPUT
  }

  type DashboardEntityResult {
    guid: EntityGuid
    accountId: Int
    name: String
    description: String
    permissions: DashboardPermissions
    pages: [DashboardPage!]
    createdAt: DateTime
    updatedAt: DateTime
  }

  type DashboardPage {
    guid: EntityGuid
    name: String
    description: String
    widgets: [DashboardWidget!]
  }

  type DashboardWidget {
    id: ID!
    title: String
    layout: DashboardWidgetLayout
    visualization: DashboardWidgetVisualization
    rawConfiguration: DashboardWidgetRawConfiguration
  }

  type DashboardWidgetLayout {
    column: Int
    height: Int
    row: Int
    width: Int
  }

  type DashboardWidgetVisualization {
    id: String
  }

  type DashboardEntityOutline implements EntityOutline & AlertableEntityOutline {
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
    "Null, but for a page of a dashboard."
    dashboardParentGuid: EntityGuid
    permissions: DashboardPermissions
    createdAt: DateTime
    updatedAt: DateTime
  }

  type DashboardEntity implements Entity & AlertableEntity {
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
    dashboardParentGuid: EntityGuid
    description: String
    permissions: DashboardPermissions
    pages: [DashboardPage!]
    createdAt: DateTime
    updatedAt: DateTime
  }
`;
