import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import type { z } from 'zod';

/** @throws InputError that names each field of the intent. */
export function parseIntent<T extends z.ZodType<object>>(
  schema: T,
  intent: JsonObject,
): z.infer<T> & JsonObject {
  const result = schema.safeParse(intent);
  if (result.success) return result.data as z.infer<T> & JsonObject;
  throw new InputError(
    result.error.issues
      .map(issue => `intent.${issue.path.join('.')}: ${issue.message}`)
      .join('; '),
  );
}
