import { stringifyEntityRef } from '@backstage/catalog-model';
import { useEntity } from '@backstage/plugin-catalog-react';
import { Select } from '@backstage/ui';
import { QueryRoot, Empty, Page, Section } from '@rocket/rocket-react';
import { byEnvironment } from '../../lib/builds';
import { DEFAULT_ENVIRONMENT } from '../../lib/deliveryView';
import { useDora, useVersions } from '../../query/hooks';
import { DaysPicker } from '../shared/DaysPicker';
import { DoraTiles } from '../shared/DoraFigures';
import { RegistryState } from '../shared/RegistryState';
import { useView } from '../shared/useView';
import { BuildsSection } from './BuildsSection';
import { DeploymentsSection } from './DeploymentsSection';
import { RunningCard } from './RunningCard';
import styles from './Versions.module.css';

function Metrics(props: { component: string; environments: string[] }) {
  const { component, environments } = props;
  const { view, change } = useView();
  const { environment, days } = view;
  const reading = useDora({
    by: 'component',
    ref: component,
    environment,
    days,
  });
  const row = reading.data?.rows.find(
    ({ entityRef }) => entityRef === component,
  );
  const choices = [
    ...new Set([DEFAULT_ENVIRONMENT, environment, ...environments]),
  ].sort(byEnvironment);
  return (
    <Section
      title="DORA metrics"
      hint="DevOps Research and Assessment: how often, how fast and how safely changes reach the environment."
      tools={
        <>
          {choices.length > 1 && (
            <Select
              aria-label="Environment"
              size="small"
              options={choices.map(name => ({ id: name, label: name }))}
              selectedKey={environment}
              onSelectionChange={key => change({ environment: String(key) })}
            />
          )}
          <DaysPicker days={days} onChange={next => change({ days: next })} />
        </>
      }
    >
      <RegistryState reading={reading} subject="The metrics" height={150} />
      {row && (
        <div aria-busy={reading.switching}>
          <DoraTiles row={row} goal={reading.data!.leadTimeGoal} />
        </div>
      )}
      {reading.data && !row && (
        <Empty title={`Nothing was deployed to ${environment} in ${days} days`}>
          The metrics begin with the first deployment that a pipeline reports.
        </Empty>
      )}
    </Section>
  );
}

function ComponentDelivery() {
  const { entity } = useEntity();
  const component = stringifyEntityRef(entity);
  const reading = useVersions({ component });
  const items = [...(reading.data?.items ?? [])].sort((a, b) =>
    byEnvironment(a.environment, b.environment),
  );
  return (
    <Page>
      <Section title="What runs where">
        <RegistryState reading={reading} subject="The versions" height={220} />
        {reading.data && items.length === 0 && (
          <Empty title="No deployment of this component was reported yet">
            Let its pipeline call <code>rocket-ci deploy start</code> and{' '}
            <code>rocket-ci deploy finish</code>; what runs where appears here
            at once.
          </Empty>
        )}
        {items.length > 0 && (
          <ul className={styles.grid} aria-label="Environments">
            {items.map(running => (
              <RunningCard key={running.environment} running={running} />
            ))}
          </ul>
        )}
      </Section>
      <Metrics
        component={component}
        environments={items.map(({ environment }) => environment)}
      />
      <DeploymentsSection component={component} />
      <BuildsSection component={component} />
    </Page>
  );
}

/** Tab of a component: what runs where, its DORA metrics, deployments and builds. */
export function ComponentDeliveryContent() {
  return (
    <QueryRoot>
      <ComponentDelivery />
    </QueryRoot>
  );
}
