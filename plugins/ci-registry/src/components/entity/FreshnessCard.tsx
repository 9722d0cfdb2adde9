import { stringifyEntityRef } from '@backstage/catalog-model';
import { EntityInfoCard, useEntity } from '@backstage/plugin-catalog-react';
import type { Freshness } from '@rocket/plugin-ci-registry-common';
import { Link, Text } from '@backstage/ui';
import {
  formatTimestamp,
  QueryRoot,
  ToneBadge,
  useEntityHref,
  Ago,
  Facts,
} from '@rocket/rocket-react';
import { FRESHNESS } from '../../lib/looks';
import { useFreshnessOf } from '../../query/hooks';
import { RegistryState } from '../shared/RegistryState';
import { CommitLink, PipelineName, RepositoryLink } from '../shared/Source';
import styles from './FreshnessCard.module.css';

function Details({ freshness }: { freshness: Freshness }) {
  const { repository, lastPushedAt, lastChangedAt, removedAt } = freshness;
  const { lastChangedCommit, lastChangedPipeline } = freshness;
  const { lastSeenRunningAt, runningSource } = freshness;
  const { label, tone, Icon, meaning } = FRESHNESS[freshness.state];
  return (
    <>
      <div className={styles.state}>
        <ToneBadge
          subject="Freshness"
          label={label}
          tone={tone}
          Icon={Icon}
          title={meaning}
          size="medium"
        />
        <Text as="p" variant="body-medium">
          {freshness.reason || meaning}
        </Text>
      </div>
      <Facts
        facts={[
          removedAt !== undefined && {
            label: 'Leaves the catalog',
            value: formatTimestamp(removedAt),
          },
          lastPushedAt !== undefined && {
            label: 'Last pushed',
            value: <Ago at={lastPushedAt} />,
          },
          (lastChangedAt !== undefined || lastChangedCommit !== undefined) && {
            label: 'Last changed',
            value: (
              <>
                {lastChangedAt && <Ago at={lastChangedAt} />}
                {lastChangedCommit && (
                  <>
                    {' by '}
                    <CommitLink
                      repository={repository}
                      sha={lastChangedCommit}
                    />
                  </>
                )}
                {lastChangedPipeline && (
                  <>
                    {' in '}
                    <PipelineName pipeline={lastChangedPipeline} />
                  </>
                )}
              </>
            ),
          },
          repository !== undefined && {
            label: 'Came from',
            value: <RepositoryLink repository={repository} />,
          },
          lastSeenRunningAt !== undefined && {
            label: 'Seen running',
            value: (
              <>
                <Ago at={lastSeenRunningAt} />
                {runningSource && `, ${runningSource}`}
              </>
            ),
          },
        ]}
      />
    </>
  );
}

function FreshnessSummary() {
  const { entity } = useEntity();
  const ref = stringifyEntityRef(entity);
  const reading = useFreshnessOf(ref);
  const href = useEntityHref()(ref);
  const freshness = reading.data?.items.find(item => item.entityRef === ref);
  return (
    <EntityInfoCard
      title="Freshness"
      footerActions={
        href && freshness && freshness.state !== 'unmanaged' ? (
          <Link href={`${href}/history`} standalone>
            Every change of it
          </Link>
        ) : undefined
      }
    >
      <div className={styles.body}>
        <RegistryState reading={reading} subject="The freshness" height={90} />
        {freshness && <Details freshness={freshness} />}
        {reading.data && !freshness && (
          <Text as="p" color="secondary">
            No pipeline pushed this entry. Let one call{' '}
            <code>rocket-ci register</code> in its repository, and the catalog
            knows when it is no longer true.
          </Text>
        )}
      </div>
    </EntityInfoCard>
  );
}

/** Card on an entity: whether its entry can be trusted, and where it came from. */
export function FreshnessCard() {
  return (
    <QueryRoot>
      <FreshnessSummary />
    </QueryRoot>
  );
}
