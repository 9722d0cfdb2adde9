import { ResponseError } from '@backstage/errors';
import { Alert, Button } from '@backstage/ui';
import { formatAge, formatTimestamp, useNow } from '@rocket/rocket-react';
import type { Reading } from '../../query/hooks';
import { REFRESH_SECONDS } from '../../query/QueryRoot';

/** HTTP status of a failure, when it has one. */
export function statusOf(error: Error | undefined): number | undefined {
  return error instanceof ResponseError ? error.statusCode : undefined;
}

function explain(error: Error): { title: string; description: string } {
  const status = statusOf(error);
  if (status === 403) {
    return {
      title: 'You may not see critical paths',
      description:
        'Your account lacks the permission critical-paths.read. Ask the owners of the portal for it.',
    };
  }
  if (status === 401) {
    return {
      title: 'Your sign-in has ended',
      description: 'Sign in again, then open this page again.',
    };
  }
  // The backend's own words are in the cause; the message is about HTTP.
  const message =
    error instanceof ResponseError ? error.cause.message : error.message;
  return {
    title: 'The figures could not be read',
    description: `${message.replace(
      /\.?$/,
      '.',
    )} The page tries again every ${REFRESH_SECONDS} seconds.`,
  };
}

/**
 * Says what is wrong with a reading: nothing could be read, or what is shown
 * is old. Renders nothing while all is well.
 */
export function ReadingNotice({ reading }: { reading: Reading<unknown> }) {
  const { data, error, outdated, receivedAt, refresh } = reading;
  const now = useNow();
  const retry = (
    <Button size="small" variant="secondary" onPress={refresh}>
      Try again
    </Button>
  );
  if (!data && error) {
    return (
      <Alert status="danger" icon {...explain(error)} customActions={retry} />
    );
  }
  if (!data || !outdated) {
    return null;
  }
  const age = formatAge(Math.max(0, (now - receivedAt) / 1000));
  return (
    <Alert
      status="warning"
      icon
      title={`These figures are old: read ${age}, at ${formatTimestamp(
        receivedAt,
      )}`}
      description={
        error
          ? explain(error).description
          : 'The page has not been refreshed since.'
      }
      customActions={retry}
    />
  );
}
