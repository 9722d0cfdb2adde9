import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type { z } from 'zod';

/** @throws InputError that names each field. */
export function parseInput(schema: z.ZodType, input: JsonObject): JsonObject {
  const result = schema.safeParse(input);
  if (result.success) {
    // Without what was left out, so that it is the same after the database.
    return JSON.parse(JSON.stringify(result.data));
  }
  throw new InputError(
    result.error.issues
      .map(issue => `${['input', ...issue.path].join('.')}: ${issue.message}`)
      .join('; '),
  );
}
