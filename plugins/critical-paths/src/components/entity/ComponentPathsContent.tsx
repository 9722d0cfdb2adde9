import { useMemo } from 'react';
import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import { useEntity } from '@backstage/plugin-catalog-react';
import type { ComponentPathRow } from '@rocket/plugin-critical-paths-common';
import { Skeleton, Text } from '@backstage/ui';
import { StateBadge, QueryRoot, statusOf } from '@rocket/rocket-react';
import { useComponentPaths } from '../../query/hooks';
import { PathTitle } from '../board/PathSummary';
import { SourceLink } from '../path/ApplicationsTable';
import { Gate } from '../shared/Gate';
import { Incidents } from '../shared/Incidents';
import { ReadingNotice } from '../shared/ReadingNotice';
import { SignalsTable, type SignalsRow } from '../shared/SignalsTable';
import {
  describeWindow,
  RejectedWindow,
  useWindowParam,
  WindowPicker,
} from '../shared/WindowPicker';
import styles from './entity.module.css';

function toRow(
  { path, application }: ComponentPathRow,
  window: string,
  outdated: boolean,
): SignalsRow {
  return {
    id: path.entityRef,
    title: <PathTitle row={path} window={window} />,
    extra: [
      application.steps.join(', '),
      <StateBadge
        key="state"
        state={path.state}
        reasons={path.stateReasons}
        outdated={outdated}
      />,
      <Incidents key="alerts" incidents={application.incidents} />,
    ],
    state: application.state,
    stateReasons: application.stateReasons,
    signals: application.signals,
    series: application.series,
    data: application.data,
    actions: application.sourceUrl && <SourceLink application={application} />,
  };
}

function ComponentPaths() {
  const { entity } = useEntity();
  const ref = stringifyEntityRef(entity);
  const component = useMemo(() => parseEntityRef(ref), [ref]);
  const { window, rejected, setWindow } = useWindowParam();
  const reading = useComponentPaths(component, window);
  const { data, receivedAt, outdated, switching, loading, error } = reading;
  const rows = data?.rows ?? [];
  // A component that the backend has never met is simply in no path.
  const unknown = !data && statusOf(error) === 404;
  return (
    <div className={styles.content}>
      <div className={styles.head}>
        <div>
          <Text as="h2" variant="title-x-small" weight="bold">
            Critical paths of {entity.metadata.title ?? entity.metadata.name}
          </Text>
          <Text as="p" variant="body-small" color="secondary">
            Its own four signals in each path, {describeWindow(window)}.
          </Text>
        </div>
        <WindowPicker window={window} onChange={setWindow} />
      </div>
      <RejectedWindow rejected={rejected} />
      {!unknown && <ReadingNotice reading={reading} />}
      {loading && (
        <div role="status" aria-label="Loading">
          <Skeleton width="100%" height={120} />
        </div>
      )}
      {(unknown || (data && rows.length === 0)) && (
        <Text as="p" color="secondary">
          This component is in no critical path. Name it in a step of a
          CriticalPath, or let it join one with the annotations
          rocket.internal/critical-path and rocket.internal/critical-path-step.
        </Text>
      )}
      {rows.length > 0 && (
        <SignalsTable
          label={`Critical paths of ${entity.metadata.name}`}
          subject="Critical path"
          extraColumns={['Step', 'Whole path', 'Alerts']}
          rows={rows.map(row => toRow(row, window, outdated))}
          receivedAt={receivedAt}
          outdated={outdated}
          busy={switching}
        />
      )}
      {rows.length > 0 && (
        <Gate
          entityRef={ref}
          about="What a pipeline that wants to deploy this component is told now."
        />
      )}
    </div>
  );
}

/** Tab of a component: the paths that it is part of, with its own figures. */
export function ComponentPathsContent() {
  return (
    <QueryRoot>
      <ComponentPaths />
    </QueryRoot>
  );
}
