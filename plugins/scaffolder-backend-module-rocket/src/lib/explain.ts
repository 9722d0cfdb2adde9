import { isError } from '@backstage/errors';

/** A failed step in words for the person who pressed "Create". */
export class ScaffoldStepError extends Error {
  name = 'ScaffoldStepError' as const;
}

/** `InputError: name is taken` → `name is taken`; anything odd as text. */
export function reasonOf(error: unknown): string {
  return isError(error) ? error.message : String(error);
}

/**
 * What failed, why, what exists now, and the way on. The reason is part of the message,
 * because the task log shows nothing else.
 */
export function explain(options: {
  failed: string;
  error: unknown;
  exists: string;
  next: string;
}): ScaffoldStepError {
  const { failed, error, exists, next } = options;
  const reason = reasonOf(error).replace(/[.\s]+$/, '');
  const explained = new ScaffoldStepError(
    `${failed}: ${reason}. What exists now: ${exists}. What to do: ${next}.`,
    { cause: error },
  );
  // The task log shows the stack; paths of the machine help nobody there.
  explained.stack = explained.message;
  return explained;
}
