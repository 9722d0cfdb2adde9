import { useMemo } from 'react';
import { stringifyEntityRef } from '@backstage/catalog-model';
import { useEntity } from '@backstage/plugin-catalog-react';
import type { RunningVersion } from '@rocket/plugin-ci-registry-common';
import {
  EntityName,
  QueryRoot,
  ScrollRegion,
  tableStyles,
  useElementWidth,
  Ago,
  Empty,
  Page,
  Section,
} from '@rocket/rocket-react';
import { behindText, byEnvironment } from '../../lib/builds';
import { useVersions } from '../../query/hooks';
import { RegistryState } from '../shared/RegistryState';
import { CommitLink } from '../shared/Source';
import { UnderWay } from './RunningCard';
import styles from './Versions.module.css';

const TABLE_MIN_WIDTH = 680;

function Cell({ running }: { running?: RunningVersion }) {
  if (!running) {
    return <span className={styles.none}>not deployed</span>;
  }
  const { deployment, since, inProgress } = running;
  const behind = behindText(running);
  return (
    <div className={styles.cell}>
      <span className={styles.cellVersion}>{deployment.version}</span>
      <span className={tableStyles.sub}>
        <CommitLink
          repository={deployment.repository}
          sha={deployment.commit}
        />{' '}
        deployed <Ago at={since} />
      </span>
      {behind && <span className={tableStyles.sub}>{behind}</span>}
      {inProgress && <UnderWay deployment={inProgress} />}
    </div>
  );
}

/** The versions of many components: environments by name, and per component what runs in each. */
export function versionMatrix(items: RunningVersion[]) {
  const environments = [
    ...new Set(items.map(({ environment }) => environment)),
  ].sort(byEnvironment);
  const components = new Map<string, Map<string, RunningVersion>>();
  for (const item of items) {
    const row = components.get(item.component) ?? new Map();
    components.set(item.component, row.set(item.environment, item));
  }
  return {
    environments,
    rows: [...components].sort(([a], [b]) => a.localeCompare(b, 'en')),
  };
}

function SystemDelivery() {
  const { entity } = useEntity();
  const reading = useVersions({ system: stringifyEntityRef(entity) });
  const [boxRef, width] = useElementWidth(1200);
  const { environments, rows } = useMemo(
    () => versionMatrix(reading.data?.items ?? []),
    [reading.data],
  );
  const label = `What runs where in ${entity.metadata.name}`;
  return (
    <Page>
      <Section title="What runs where">
        <div ref={boxRef} />
        <RegistryState reading={reading} subject="The versions" lines={3} />
        {reading.data && rows.length === 0 && (
          <Empty title="No deployment of a component of this system was reported yet">
            Let their pipelines call <code>rocket-ci deploy start</code> and{' '}
            <code>rocket-ci deploy finish</code>.
          </Empty>
        )}
        {rows.length > 0 && width < TABLE_MIN_WIDTH && (
          <ul className={tableStyles.cards} aria-label={label}>
            {rows.map(([component, cells]) => (
              <li key={component} className={tableStyles.card}>
                <span className={tableStyles.title}>
                  <EntityName entityRef={component} tab="/delivery" />
                </span>
                <dl className={styles.cellList}>
                  {environments.map(environment => (
                    <EnvironmentPair
                      key={environment}
                      environment={environment}
                      running={cells.get(environment)}
                    />
                  ))}
                </dl>
              </li>
            ))}
          </ul>
        )}
        {rows.length > 0 && width >= TABLE_MIN_WIDTH && (
          <ScrollRegion label={`${label}, table`} className={tableStyles.box}>
            <table className={tableStyles.table}>
              <caption className={tableStyles.caption}>{label}</caption>
              <thead>
                <tr>
                  <th scope="col">Component</th>
                  {environments.map(environment => (
                    <th key={environment} scope="col">
                      {environment}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map(([component, cells]) => (
                  <tr key={component}>
                    <th scope="row">
                      <EntityName
                        entityRef={component}
                        tab="/delivery"
                        className={tableStyles.title}
                      />
                    </th>
                    {environments.map(environment => (
                      <td key={environment}>
                        <Cell running={cells.get(environment)} />
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </ScrollRegion>
        )}
      </Section>
    </Page>
  );
}

function EnvironmentPair(props: {
  environment: string;
  running?: RunningVersion;
}) {
  return (
    <>
      <dt>{props.environment}</dt>
      <dd>
        <Cell running={props.running} />
      </dd>
    </>
  );
}

/** Tab of a system: what runs where across its components. */
export function SystemDeliveryContent() {
  return (
    <QueryRoot>
      <SystemDelivery />
    </QueryRoot>
  );
}
