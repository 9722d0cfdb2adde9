/** Deployments and other changes. */
export const CHANGE_TRACKING_SDL = /* GraphQL */ `
  scalar ChangeTrackingRawCustomAttributesMap

  extend type RootMutationType {
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
