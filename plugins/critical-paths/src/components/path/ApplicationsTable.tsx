import type {
  PathApplication,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';
import { Link } from '@backstage/ui';
import { RiExternalLinkLine } from '@remixicon/react';
import { SOURCES } from '../../lib/figures';
import { EntityName } from '../shared/EntityName';
import { Incidents } from '../shared/Incidents';
import { SignalsTable, type SignalsRow } from '../shared/SignalsTable';
import styles from './PathPage.module.css';

/** Link to the application's page at its telemetry source. */
export function SourceLink({ application }: { application: PathApplication }) {
  const { sourceUrl, data, title } = application;
  if (!sourceUrl) {
    return null;
  }
  const source = SOURCES[data.sources[0]] ?? data.sources[0] ?? 'the source';
  return (
    <Link
      href={sourceUrl}
      target="_blank"
      rel="noopener noreferrer"
      variant="body-small"
      aria-label={`${title} in ${source}, opens in a new tab`}
    >
      <span className={styles.external}>
        {source} <RiExternalLinkLine size={12} />
      </span>
    </Link>
  );
}

function toRow(application: PathApplication, path: PathDetail): SignalsRow {
  const titles = new Map(path.steps.map(step => [step.name, step.title]));
  const { known, joined, owner } = application;
  return {
    id: application.entityRef,
    title: known ? (
      <EntityName entityRef={application.entityRef} title={application.title} />
    ) : (
      application.entityRef
    ),
    note: (
      <>
        {!known && 'not in the catalog'}
        {known && owner && <EntityName entityRef={owner} />}
        {joined && ' · joined by annotation'}
      </>
    ),
    extra: [
      application.steps.map(step => titles.get(step) ?? step).join(', '),
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

/** Props of {@link ApplicationsTable}. */
export interface ApplicationsTableProps {
  path: PathDetail;
  receivedAt: number;
  outdated: boolean;
  busy: boolean;
}

/** The applications of a path with the same four signals. */
export function ApplicationsTable(props: ApplicationsTableProps) {
  const { path, ...rest } = props;
  return (
    <SignalsTable
      label={`Applications of ${path.title}`}
      subject="Application"
      extraColumns={['Step', 'Alerts']}
      rows={path.applicationDetails.map(application =>
        toRow(application, path),
      )}
      {...rest}
    />
  );
}
