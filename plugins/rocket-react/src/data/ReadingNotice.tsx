import { ResponseError } from '@backstage/errors';
import { Alert, Button } from '@backstage/ui';
import { formatAge, formatTimestamp } from '../format';
import { useNow } from '../hooks/useNow';
import { REFRESH_SECONDS } from './QueryRoot';
import type { Reading } from './reading';

/** HTTP status of a failure, when it has one. */
export function statusOf(error: Error | undefined): number | undefined {
  return error instanceof ResponseError ? error.statusCode : undefined;
}

/** What a backend says is wrong; the words of `fetch` where there is no answer. */
export function reasonOf(error: Error): string {
  // The backend's own words are in the cause; the message is about HTTP.
  const message =
    error instanceof ResponseError ? error.cause.message : error.message;
  return message.replace(/\.?$/, '.');
}

/** Props of {@link ReadingNotice}. */
export interface ReadingNoticeProps {
  reading: Reading<unknown>;
  /** What is read, in the plural and as it begins a sentence: `The figures`. */
  subject?: string;
  /** Name of the permission that the backend asks for. */
  permission: string;
}

/**
 * Says what is wrong with a reading: nothing could be read, or what is shown
 * is old. Renders nothing while all is well.
 */
export function ReadingNotice(props: ReadingNoticeProps) {
  const { reading, subject = 'The figures', permission } = props;
  const { data, error, outdated, receivedAt, refresh } = reading;
  const now = useNow();
  const retry = (
    <Button size="small" variant="secondary" onPress={refresh}>
      Try again
    </Button>
  );
  const explain = (failure: Error) => {
    const status = statusOf(failure);
    if (status === 403) {
      return {
        title: `You may not see this`,
        description: `Your account lacks the permission ${permission}. Ask the owners of the portal for it.`,
      };
    }
    if (status === 401) {
      return {
        title: 'Your sign-in has ended',
        description: 'Sign in again, then open this page again.',
      };
    }
    return {
      title: `${subject} could not be read`,
      description: `${reasonOf(
        failure,
      )} The page tries again every ${REFRESH_SECONDS} seconds.`,
    };
  };
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
      title={`${subject} are old: read ${age}, at ${formatTimestamp(
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
