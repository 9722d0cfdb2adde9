import {
  BreadcrumbEntry,
  useRouteRef,
  useRouteRefParams,
} from '@backstage/frontend-plugin-api';
import { parseEntityRef } from '@backstage/catalog-model';
import type { PathDetail } from '@rocket/plugin-critical-paths-common';
import {
  Alert,
  ButtonLink,
  Container,
  Header,
  Skeleton,
  Text,
} from '@backstage/ui';
import {
  DataAge,
  formatTimestamp,
  isMissing,
  StateBadge,
  useElementWidth,
  type Reading,
  statusOf,
} from '@rocket/rocket-react';
import { sentence } from '../../lib/figures';
import { usePath } from '../../query/hooks';
import { pathRouteRef, rootRouteRef } from '../../routes';
import { EntityName } from '../shared/EntityName';
import { Gate } from '../shared/Gate';
import { ReadingNotice } from '../shared/ReadingNotice';
import {
  describeWindow,
  RejectedWindow,
  useWindowParam,
  WindowPicker,
} from '../shared/WindowPicker';
import { WorkflowSection } from '../workflow/WorkflowSection';
import { AlertsSection } from './AlertsSection';
import { ApplicationsTable } from './ApplicationsTable';
import { AttributionSection } from './AttributionSection';
import { BudgetSection } from './BudgetSection';
import { ChangesSection } from './ChangesSection';
import { Explanations } from './Explanations';
import { HistorySection } from './HistorySection';
import { Objectives } from './Objectives';
import { PolicySection } from './PolicyActions';
import { ServiceLevelsSection } from './ServiceLevelsSection';
import { SignalCharts } from './SignalCharts';
import { StepFlow } from './StepFlow';
import styles from './PathPage.module.css';

/** Narrower than this, the header has no room for the window beside the title. */
const HEADER_MIN_WIDTH = 640;

function NotFound({ namespace, name }: { namespace: string; name: string }) {
  const board = useRouteRef(rootRouteRef);
  return (
    <Container>
      <div className={styles.notFound}>
        <Text as="h2" variant="title-small" weight="bold">
          Critical path not found
        </Text>
        <Text as="p" color="secondary">
          The catalog has no critical path “{namespace}/{name}”. It may have
          been renamed or removed, or you may not see it.
        </Text>
        {board && (
          <ButtonLink href={board()} variant="primary">
            All critical paths
          </ButtonLink>
        )}
      </div>
    </Container>
  );
}

function Waiting() {
  return (
    <div className={styles.page} role="status" aria-label="Loading">
      <Skeleton width="100%" height={110} />
      <div className={styles.chartGrid}>
        {[0, 1, 2, 3].map(chart => (
          <Skeleton key={chart} width="100%" height={290} />
        ))}
      </div>
    </div>
  );
}

function Facts({
  reading,
  path,
}: {
  reading: Reading<unknown>;
  path: PathDetail;
}) {
  const { receivedAt, outdated } = reading;
  const facts = [
    {
      label: 'State',
      value: (
        <StateBadge
          state={path.state}
          reasons={path.stateReasons}
          outdated={outdated}
          size="medium"
        />
      ),
    },
    {
      label: 'Business model',
      value: <EntityName entityRef={path.businessModel} />,
    },
    { label: 'Owner', value: <EntityName entityRef={path.owner} /> },
    { label: 'Type', value: path.type },
    { label: 'Lifecycle', value: path.lifecycle },
    {
      label: 'Data',
      value: (
        <DataAge
          ageSeconds={path.data.ageSeconds}
          receivedAt={receivedAt}
          at={path.data.watermark}
          late={path.state === 'stale'}
        />
      ),
    },
    {
      label: 'Definition',
      value: <EntityName entityRef={path.entityRef} title="In the catalog" />,
    },
  ];
  return (
    <div className={styles.facts}>
      <dl className={styles.factList}>
        {facts.map(({ label, value }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {path.state !== 'healthy' && path.stateReasons.length > 0 && (
        <ul className={styles.reasons} aria-label="Why it has this state">
          {path.stateReasons.map(reason => (
            <li key={reason}>{sentence(reason)}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Details({ reading }: { reading: Reading<PathDetail> }) {
  const { data: path, receivedAt, outdated, switching } = reading;
  if (!path) {
    return null;
  }
  const { lastError } = path.data;
  return (
    <div className={styles.page} aria-busy={switching}>
      <Facts reading={reading} path={path} />
      {lastError && (
        <Alert
          status="warning"
          icon
          title={`The last collection failed at ${formatTimestamp(
            lastError.at,
          )}`}
          description={lastError.message}
        />
      )}
      <section className={styles.section}>
        <Text as="h2" variant="title-x-small" weight="bold">
          Steps
        </Text>
        <StepFlow path={path} outdated={outdated} />
      </section>
      <section className={styles.section} data-dim={switching || undefined}>
        <Text as="h2" variant="title-x-small" weight="bold">
          Signals, {describeWindow(path.window)}
        </Text>
        <SignalCharts path={path} />
      </section>
      <section className={styles.section}>
        <Text as="h2" variant="title-x-small" weight="bold">
          Objectives
        </Text>
        <Objectives
          results={path.objectives}
          muted={outdated || isMissing(path.state)}
        />
      </section>
      <BudgetSection path={path} muted={outdated || isMissing(path.state)} />
      <AlertsSection path={path} />
      <AttributionSection path={path} />
      <ChangesSection path={path} />
      <WorkflowSection path={path} window={path.window} />
      <section className={styles.section}>
        <Text as="h2" variant="title-x-small" weight="bold">
          Applications
        </Text>
        <ApplicationsTable
          path={path}
          receivedAt={receivedAt}
          outdated={outdated}
          busy={switching}
        />
      </section>
      <ServiceLevelsSection path={path} />
      <Gate
        entityRef={path.entityRef}
        about="What this path says to pipelines that want to deploy one of its applications; other paths of the application count too."
      />
      <PolicySection path={path} onChanged={reading.refresh} />
      <HistorySection path={path} />
      <Explanations path={path} />
    </div>
  );
}

/** One critical path: steps, the four signals, objectives and applications. */
export function PathPage() {
  const { namespace, name } = useRouteRefParams(pathRouteRef);
  const { window, rejected, setWindow } = useWindowParam();
  const reading = usePath(namespace, name, window);
  const href = useRouteRef(pathRouteRef)?.({ namespace, name }) ?? '';
  const { data: path, error } = reading;
  const [boxRef, width] = useElementWidth(1200);
  const wide = width >= HEADER_MIN_WIDTH;
  const picker = <WindowPicker window={window} onChange={setWindow} />;

  // 400: what stands in the address cannot be the name of a path.
  if (!path && [400, 404].includes(statusOf(error) ?? 0)) {
    return <NotFound namespace={namespace} name={name} />;
  }
  const title =
    path?.title ?? parseEntityRef(`criticalpath:${namespace}/${name}`).name;
  return (
    <BreadcrumbEntry entry={{ href, label: title }}>
      <Header
        title={title}
        description={path?.description}
        customActions={wide ? picker : undefined}
      />
      <Container>
        <div ref={boxRef} className={styles.measure} />
        {!wide && <div className={styles.picker}>{picker}</div>}
        <div className={styles.notices}>
          <RejectedWindow rejected={rejected} />
          <ReadingNotice reading={reading} />
        </div>
        {reading.loading && <Waiting />}
        <Details reading={reading} />
      </Container>
    </BreadcrumbEntry>
  );
}
