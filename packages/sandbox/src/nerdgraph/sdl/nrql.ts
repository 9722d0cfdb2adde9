/** NRQL of an account, and of several. */
export const NRQL_SDL = /* GraphQL */ `
  scalar Nrql
  scalar NrdbResult
  scalar NrdbRawResults

  extend type Actor {
    nrql(
      accounts: [Int!]!
      query: Nrql!
      options: NrqlQueryOptions
      timeout: Seconds
      async: Boolean
    ): NrdbResultContainer
  }

  extend type Account {
    nrql(
      query: Nrql!
      options: NrqlQueryOptions
      timeout: Seconds
      async: Boolean
    ): NrdbResultContainer
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
`;
