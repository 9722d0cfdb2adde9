const CONDITION_FIELDS = `
    id: ID!
    name: String
    description: String
    enabled: Boolean!
    entityGuid: EntityGuid
    expiration: AlertsNrqlConditionExpiration
    nrql: AlertsNrqlConditionQuery
    policyId: ID!
    runbookUrl: String
    signal: AlertsNrqlConditionSignal
    terms: [AlertsNrqlConditionTerms]
    titleTemplate: String
    type: AlertsNrqlConditionType
    violationTimeLimitSeconds: Seconds`;

const CONDITION_INPUT = `
    description: String
    expiration: AlertsNrqlConditionExpirationInput
    runbookUrl: String
    signal: AlertsNrqlConditionSignalInput
    titleTemplate: String
    valueFunction: AlertsNrqlStaticConditionValueFunction
    violationTimeLimitSeconds: Seconds`;

/** Alert policies and their static NRQL conditions. */
export const ALERTS_SDL = /* GraphQL */ `
  extend type Account {
    alerts: AlertsAccountStitchedFields
  }

  type AlertsAccountStitchedFields {
    policiesSearch(
      cursor: String
      searchCriteria: AlertsPoliciesSearchCriteriaInput
    ): AlertsPoliciesResultSet
    policy(id: ID!): AlertsPolicy
    nrqlConditionsSearch(
      cursor: String
      searchCriteria: AlertsNrqlConditionsSearchCriteriaInput
    ): AlertsNrqlConditionsResultSet
    nrqlCondition(id: ID!): AlertsNrqlCondition
  }

  extend type RootMutationType {
    alertsPolicyCreate(accountId: Int!, policy: AlertsPolicyInput!): AlertsPolicy
    alertsPolicyUpdate(
      accountId: Int!
      id: ID!
      policy: AlertsPolicyUpdateInput!
    ): AlertsPolicy
    alertsPolicyDelete(accountId: Int!, id: ID!): AlertsPolicyDeleteResponse
    alertsNrqlConditionStaticCreate(
      accountId: Int!
      policyId: ID!
      condition: AlertsNrqlConditionStaticInput!
    ): AlertsNrqlStaticCondition
    alertsNrqlConditionStaticUpdate(
      accountId: Int!
      id: ID!
      condition: AlertsNrqlConditionUpdateStaticInput!
    ): AlertsNrqlStaticCondition
    alertsConditionDelete(
      accountId: Int!
      id: ID!
    ): AlertsConditionDeleteResponse
  }

  enum AlertsIncidentPreference {
    PER_CONDITION
    PER_CONDITION_AND_TARGET
    PER_POLICY
  }

  input AlertsPolicyInput {
    name: String!
    incidentPreference: AlertsIncidentPreference!
  }

  input AlertsPolicyUpdateInput {
    name: String
    incidentPreference: AlertsIncidentPreference
  }

  input AlertsPoliciesSearchCriteriaInput {
    ids: [ID!]
    name: String
    nameLike: String
  }

  type AlertsPolicy {
    id: ID!
    accountId: Int!
    entityGuid: EntityGuid
    incidentPreference: AlertsIncidentPreference!
    name: String!
  }

  type AlertsPoliciesResultSet {
    nextCursor: String
    policies: [AlertsPolicy!]!
    totalCount: Int!
  }

  type AlertsPolicyDeleteResponse {
    id: ID!
  }

  type AlertsConditionDeleteResponse {
    id: ID!
  }

  input AlertsNrqlConditionsSearchCriteriaInput {
    name: String
    nameLike: String
    policyId: ID
    query: String
    queryLike: String
  }

  type AlertsNrqlConditionsResultSet {
    nextCursor: String
    nrqlConditions: [AlertsNrqlCondition!]!
    totalCount: Int!
  }

  enum AlertsNrqlConditionType {
    BASELINE
    STATIC
  }

  enum AlertsNrqlStaticConditionValueFunction {
    SINGLE_VALUE
    SUM
  }

  enum AlertsNrqlConditionTermsOperator {
    ABOVE
    ABOVE_OR_EQUALS
    BELOW
    BELOW_OR_EQUALS
    EQUALS
    NOT_EQUALS
  }

  enum AlertsNrqlConditionPriority {
    CRITICAL
    WARNING
  }

  enum AlertsNrqlConditionThresholdOccurrences {
    ALL
    AT_LEAST_ONCE
  }

  enum AlertsSignalAggregationMethod {
    CADENCE
    EVENT_FLOW
    EVENT_TIMER
  }

  enum AlertsFillOption {
    LAST_VALUE
    NONE
    STATIC
  }

  interface AlertsNrqlCondition {
${CONDITION_FIELDS}
  }

  type AlertsNrqlStaticCondition implements AlertsNrqlCondition {
${CONDITION_FIELDS}
    valueFunction: AlertsNrqlStaticConditionValueFunction
  }

  type AlertsNrqlConditionQuery {
    dataAccountId: Int
    evaluationOffset: Int
    query: Nrql!
  }

  type AlertsNrqlConditionTerms {
    operator: AlertsNrqlConditionTermsOperator
    priority: AlertsNrqlConditionPriority
    threshold: Float
    thresholdDuration: Seconds
    thresholdOccurrences: AlertsNrqlConditionThresholdOccurrences
  }

  type AlertsNrqlConditionSignal {
    aggregationDelay: Seconds
    aggregationMethod: AlertsSignalAggregationMethod
    aggregationTimer: Seconds
    aggregationWindow: Seconds
    fillOption: AlertsFillOption
    fillValue: Float
    slideBy: Seconds
  }

  type AlertsNrqlConditionExpiration {
    closeViolationsOnExpiration: Boolean
    expirationDuration: Seconds
    ignoreOnExpectedTermination: Boolean
    openViolationOnExpiration: Boolean
  }

  input AlertsNrqlConditionStaticInput {
    name: String!
    enabled: Boolean!
    nrql: AlertsNrqlConditionQueryInput!
    terms: [AlertsNrqlDynamicConditionTermsInput!]!
${CONDITION_INPUT}
  }

  input AlertsNrqlConditionUpdateStaticInput {
    name: String
    enabled: Boolean
    nrql: AlertsNrqlConditionUpdateQueryInput
    terms: [AlertsNrqlDynamicConditionTermsInput!]
${CONDITION_INPUT}
  }

  input AlertsNrqlConditionQueryInput {
    dataAccountId: Int
    query: Nrql!
  }

  input AlertsNrqlConditionUpdateQueryInput {
    dataAccountId: Int
    query: Nrql
  }

  input AlertsNrqlDynamicConditionTermsInput {
    operator: AlertsNrqlConditionTermsOperator!
    priority: AlertsNrqlConditionPriority
    threshold: Float!
    thresholdDuration: Seconds!
    thresholdOccurrences: AlertsNrqlConditionThresholdOccurrences!
  }

  input AlertsNrqlConditionSignalInput {
    aggregationDelay: Seconds
    aggregationMethod: AlertsSignalAggregationMethod
    aggregationTimer: Seconds
    aggregationWindow: Seconds
    fillOption: AlertsFillOption
    fillValue: Float
    slideBy: Seconds
  }

  input AlertsNrqlConditionExpirationInput {
    closeViolationsOnExpiration: Boolean
    expirationDuration: Seconds
    ignoreOnExpectedTermination: Boolean
    openViolationOnExpiration: Boolean
  }
`;
