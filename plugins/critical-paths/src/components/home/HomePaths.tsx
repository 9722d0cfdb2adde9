import { QueryRoot } from '@rocket/rocket-react';
import { useRouteRef } from '@backstage/frontend-plugin-api';
import { ButtonLink, Skeleton, Text } from '@backstage/ui';
import { DEFAULT_WINDOW, sortRows } from '../../lib/boardView';
import { useBoard } from '../../query/hooks';
import { rootRouteRef } from '../../routes';
import { PathList } from '../shared/PathList';
import { ReadingNotice } from '../shared/ReadingNotice';
import { useOwnedPaths } from './useOwnedPaths';
import styles from '../entity/entity.module.css';

const SHOWN = 5;

function Paths() {
  const reading = useBoard(DEFAULT_WINDOW);
  const owned = useOwnedPaths();
  const board = useRouteRef(rootRouteRef);
  const { data, outdated } = reading;
  const all = sortRows(data?.rows ?? [], { key: 'state', descending: false });
  const mine = all.filter(
    row =>
      owned.data?.owners.has(row.owner) || owned.data?.paths.has(row.entityRef),
  );
  const rows = (mine.length > 0 ? mine : all).slice(0, SHOWN);
  const waiting = reading.loading || (owned.isPending && !owned.error);

  if (waiting) {
    return (
      <div role="status" aria-label="Loading">
        <Skeleton width="100%" height={160} />
      </div>
    );
  }
  return (
    <div className={styles.body}>
      <ReadingNotice reading={reading} />
      {data && mine.length === 0 && (
        <Text as="p" variant="body-small" color="secondary">
          {owned.error
            ? 'Your groups could not be read. These paths need attention most.'
            : 'None of your groups is part of a critical path. These need attention most.'}
        </Text>
      )}
      {data && all.length === 0 && (
        <Text as="p" color="secondary">
          No critical path is registered yet.
        </Text>
      )}
      {rows.length > 0 && (
        <PathList
          label="Your critical paths"
          rows={rows}
          window={DEFAULT_WINDOW}
          outdated={outdated}
        />
      )}
      {board && (
        <div className={styles.foot}>
          <Text variant="body-small" color="secondary">
            Last 24 hours
            {mine.length > SHOWN && `, the ${SHOWN} worst of ${mine.length}`}
          </Text>
          <ButtonLink href={board()} variant="secondary">
            All critical paths
          </ButtonLink>
        </div>
      )}
    </div>
  );
}

/** Widget of the home page: the reader's critical paths, or the worst ones. */
export function HomePaths() {
  return (
    <QueryRoot>
      <Paths />
    </QueryRoot>
  );
}
