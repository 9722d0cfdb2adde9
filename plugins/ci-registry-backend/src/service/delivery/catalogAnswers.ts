import { ServiceUnavailableError, toError } from '@backstage/errors';

/** Asks the catalog; a caller gets 503 instead of 500 while it does not answer. */
export async function catalogAnswers<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (
      ['NotAllowedError', 'AuthenticationError'].includes(toError(error).name)
    ) {
      throw error;
    }
    throw new ServiceUnavailableError(
      'The catalog does not answer; try again in a moment',
      error,
    );
  }
}
