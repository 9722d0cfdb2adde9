/** Tags that people and programs put on entities. */
export const TAGGING_SDL = /* GraphQL */ `
  extend type RootMutationType {
    taggingAddTagsToEntity(
      guid: EntityGuid!
      tags: [TaggingTagInput!]!
    ): TaggingMutationResult
    taggingReplaceTagsOnEntity(
      guid: EntityGuid!
      tags: [TaggingTagInput!]!
    ): TaggingMutationResult
    taggingDeleteTagFromEntity(
      guid: EntityGuid!
      tagKeys: [String!]!
    ): TaggingMutationResult
    taggingDeleteTagValuesFromEntity(
      guid: EntityGuid!
      tagValues: [TaggingTagValueInput!]!
    ): TaggingMutationResult
  }

  input TaggingTagInput {
    key: String!
    values: [String!]
  }

  input TaggingTagValueInput {
    key: String!
    value: String!
  }

  type TaggingMutationResult {
    errors: [TaggingMutationError]
  }

  type TaggingMutationError {
    message: String
    type: TaggingMutationErrorType
  }

  enum TaggingMutationErrorType {
    CONCURRENT_TASK_EXCEPTION
    INVALID_DOMAIN_TYPE
    INVALID_ENTITY_GUID
    INVALID_KEY
    INVALID_VALUE
    NOT_FOUND
    NOT_PERMITTED
    TOO_MANY_CHARS_QUERY_FILTER
    TOO_MANY_TAG_KEYS
    TOO_MANY_TAG_VALUES
    UPDATE_WILL_BE_DELAYED
  }
`;
