/** Roots, people and accounts. */
export const BASE_SDL = /* GraphQL */ `
  scalar EpochMilliseconds
  scalar EpochSeconds
  scalar Seconds

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
    reportingEventTypes: [String]
  }

  type RootMutationType
`;
