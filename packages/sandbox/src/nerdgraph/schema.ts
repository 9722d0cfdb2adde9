import {
  buildSchema,
  GraphQLError,
  GraphQLScalarType,
  GraphQLSchema,
  valueFromASTUntyped,
} from 'graphql';
import { SDL } from './sdl';

/** Builds the schema; its scalars check what they are given. */
export function buildNerdGraphSchema(): GraphQLSchema {
  const schema = buildSchema(SDL);
  const text = (name: string, pattern?: RegExp) => (value: unknown) => {
    if (typeof value !== 'string' || (pattern && !pattern.test(value))) {
      throw new GraphQLError(`${name} cannot represent ${describe(value)}`);
    }
    return value;
  };
  const whole = (name: string) => (value: unknown) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      throw new GraphQLError(`${name} cannot represent ${describe(value)}`);
    }
    return value;
  };
  const rules: Record<string, (value: unknown) => unknown> = {
    Nrql: text('Nrql'),
    EntitySearchQuery: text('EntitySearchQuery'),
    EntityGuid: text('EntityGuid', /^[A-Za-z0-9+/_-]+$/),
    Seconds: whole('Seconds'),
    EpochMilliseconds: whole('EpochMilliseconds'),
    EpochSeconds: whole('EpochSeconds'),
    ChangeTrackingRawCustomAttributesMap: value => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new GraphQLError('customAttributes must be a map');
      }
      return value;
    },
  };
  for (const [name, parse] of Object.entries(rules)) {
    const scalar = schema.getType(name) as GraphQLScalarType;
    scalar.parseValue = parse;
    scalar.parseLiteral = (node, variables) =>
      parse(valueFromASTUntyped(node, variables));
  }
  return schema;
}

function describe(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 100);
}
