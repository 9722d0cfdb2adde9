import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import { EntityInfoCard, useEntity } from '@backstage/plugin-catalog-react';
import { ButtonLink, Skeleton, Text } from '@backstage/ui';
import {
  DataAge,
  isMissing,
  StateBadge,
  QueryRoot,
} from '@rocket/rocket-react';
import { DEFAULT_WINDOW } from '../../lib/boardView';
import { sentence } from '../../lib/figures';
import { usePath } from '../../query/hooks';
import { usePathHref } from '../board/PathSummary';
import { ReadingNotice } from '../shared/ReadingNotice';
import { SignalGrid } from '../shared/Signals';
import { describeWindow } from '../shared/WindowPicker';
import styles from './entity.module.css';

function Summary() {
  const { entity } = useEntity();
  const { namespace, name } = parseEntityRef(stringifyEntityRef(entity));
  const reading = usePath(namespace, name, DEFAULT_WINDOW);
  const href = usePathHref(DEFAULT_WINDOW)({ namespace, name });
  const { data: path, outdated, receivedAt } = reading;
  return (
    <EntityInfoCard
      title="Golden signals"
      footerActions={
        href && (
          <ButtonLink href={href} variant="secondary">
            Steps, charts and applications
          </ButtonLink>
        )
      }
    >
      <div className={styles.body}>
        <ReadingNotice reading={reading} />
        {reading.loading && <Skeleton width="100%" height={110} />}
        {path && (
          <>
            <div className={styles.foot}>
              <StateBadge
                state={path.state}
                reasons={path.stateReasons}
                outdated={outdated}
                size="medium"
              />
              <Text variant="body-small" color="secondary">
                {describeWindow(path.window)} ·{' '}
                <DataAge
                  ageSeconds={path.data.ageSeconds}
                  receivedAt={receivedAt}
                  at={path.data.watermark}
                  late={path.state === 'stale'}
                />
              </Text>
            </div>
            {path.state !== 'healthy' &&
              path.stateReasons.map(reason => (
                <Text key={reason} as="p" variant="body-small">
                  {sentence(reason)}
                </Text>
              ))}
            <SignalGrid
              signals={path.signals}
              series={path.sparkline}
              muted={outdated || isMissing(path.state)}
            />
          </>
        )}
      </div>
    </EntityInfoCard>
  );
}

/** Card on the catalog page of a critical path: state, four signals, link to the path's page. */
export function CriticalPathCard() {
  return (
    <QueryRoot>
      <Summary />
    </QueryRoot>
  );
}
