import { GraphQLError } from 'graphql';

/** An error of one field, with the class that New Relic gives it. */
export function nerdGraphError(
  message: string,
  errorClass?: string,
  more: Record<string, unknown> = {},
): GraphQLError {
  return new GraphQLError(message, {
    extensions: errorClass ? { errorClass, ...more } : more,
  });
}

/** New Relic's answer, word for word, to a missing or wrong key (HTTP 401). */
export const BAD_KEY_BODY = {
  errors: [
    {
      extensions: { error_code: 'BAD_API_KEY' },
      message: 'Bad API Key or no API Key provided',
    },
  ],
};

/** A field that was refused, and why. */
export interface Invalid {
  name: string;
  reason: string;
}

/** Input that alerts and service levels refuse. */
export function validationError(validationErrors: Invalid[]): GraphQLError {
  return nerdGraphError('Validation Error', 'BAD_USER_INPUT', {
    code: 'BAD_USER_INPUT',
    validationErrors,
  });
}
