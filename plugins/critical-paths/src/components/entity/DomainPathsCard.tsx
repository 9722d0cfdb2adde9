import { QueryRoot } from '@rocket/rocket-react';
import { stringifyEntityRef } from '@backstage/catalog-model';
import { EntityInfoCard, useEntity } from '@backstage/plugin-catalog-react';
import { useRouteRef } from '@backstage/frontend-plugin-api';
import { ButtonLink, Skeleton, Text } from '@backstage/ui';
import { DEFAULT_WINDOW, sortRows } from '../../lib/boardView';
import { useBoard } from '../../query/hooks';
import { rootRouteRef } from '../../routes';
import { PathList } from '../shared/PathList';
import { ReadingNotice } from '../shared/ReadingNotice';

function DomainPaths() {
  const { entity } = useEntity();
  const domain = stringifyEntityRef(entity);
  const reading = useBoard(DEFAULT_WINDOW);
  const board = useRouteRef(rootRouteRef);
  const { data, outdated, loading } = reading;
  const rows = sortRows(
    (data?.rows ?? []).filter(row => row.businessModel === domain),
    { key: 'state', descending: false },
  );
  return (
    <EntityInfoCard
      title="Critical paths"
      footerActions={
        board && (
          <ButtonLink
            href={`${board()}?${new URLSearchParams({
              businessModel: domain,
            })}`}
            variant="secondary"
          >
            Open the board
          </ButtonLink>
        )
      }
    >
      <ReadingNotice reading={reading} />
      {loading && <Skeleton width="100%" height={110} />}
      {data && rows.length === 0 && (
        <Text as="p" color="secondary">
          No critical path names this business model yet.
        </Text>
      )}
      {rows.length > 0 && (
        <PathList
          label={`Critical paths of ${entity.metadata.name}`}
          rows={rows}
          window={DEFAULT_WINDOW}
          outdated={outdated}
        />
      )}
    </EntityInfoCard>
  );
}

/** Card on the page of a business model: its critical paths, the worst first. */
export function DomainPathsCard() {
  return (
    <QueryRoot>
      <DomainPaths />
    </QueryRoot>
  );
}
