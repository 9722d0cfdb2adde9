import { Type, type Static, type TSchema } from 'typebox';
import { AMOUNT_PATTERN, SIGNED_AMOUNT_PATTERN } from '../money.ts';

/** Pieces that the shapes of every service are made of. */

export const closed = { additionalProperties: false };
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const Id = Type.String({ format: 'uuid', description: 'UUIDv7' });
export const Currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code', examples: ['USD'] });

export const Amount = Type.Object(
  {
    value: Type.String({
      pattern: AMOUNT_PATTERN,
      description: 'Minor units as decimal digits, above zero: "1050" USD is 10.50 dollars.',
      examples: ['1050'],
    }),
    currency: Currency,
  },
  closed,
);

export const SignedMinor = Type.String({
  pattern: SIGNED_AMOUNT_PATTERN,
  description: 'Minor units as decimal digits',
});

export const Metadata = Type.Record(
  Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }),
  Type.String({ maxLength: 500 }),
  {
    maxProperties: 20,
    additionalProperties: false,
    description: 'Up to 20 short texts of your own. No card or personal data.',
  },
);

/** Without control characters: such a text could break logs and exports. */
export const Text = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000-\\u001f\\u007f]*$', description });

export const Timestamp = Type.String({ format: 'date-time' });

/** A reference to a schema with an `$id`, with its type. */
export function ref<T extends TSchema>(schema: T) {
  return Type.Unsafe<Static<T>>({ $ref: `${(schema as { $id?: string }).$id}#` });
}
