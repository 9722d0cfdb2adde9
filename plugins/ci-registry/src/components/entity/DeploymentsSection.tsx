import type { Deployment } from '@rocket/plugin-ci-registry-common';
import {
  formatSpan,
  itemsOf,
  ScrollRegion,
  tableStyles,
  ToneBadge,
  Ago,
  Empty,
  MoreButton,
  secondsBetween,
  Section,
} from '@rocket/rocket-react';
import { OUTCOMES } from '../../lib/looks';
import { useDeployments } from '../../query/hooks';
import { RegistryState } from '../shared/RegistryState';
import { CommitLink, OutsideLink, PipelineName } from '../shared/Source';
import styles from '../shared/parts.module.css';

function Row({ deployment }: { deployment: Deployment }) {
  const { startedAt, finishedAt, reason, remediates, url } = deployment;
  return (
    <tr>
      <th scope="row">
        <span className={tableStyles.title}>{deployment.version}</span>
        <span className={tableStyles.sub}>
          <CommitLink
            repository={deployment.repository}
            sha={deployment.commit}
          />
        </span>
      </th>
      <td>{deployment.environment}</td>
      <td>
        <ToneBadge subject="Outcome" {...OUTCOMES[deployment.outcome]} />
        {reason && <span className={tableStyles.reason}>{reason}</span>}
        {remediates && remediates.length > 0 && (
          <span className={tableStyles.sub}>
            makes good {remediates.join(', ')}
          </span>
        )}
      </td>
      <td>
        <Ago at={startedAt} />
        {finishedAt && (
          <span className={tableStyles.sub}>
            took {formatSpan(secondsBetween(startedAt, finishedAt)).text}
          </span>
        )}
      </td>
      <td>
        <PipelineName pipeline={deployment.pipeline} />
        <span className={tableStyles.sub}>{deployment.reportedBy}</span>
      </td>
      <td>
        {deployment.replaced?.version ??
          deployment.replaced?.commit.slice(0, 8) ?? (
            <span className={tableStyles.sub}>not reported</span>
          )}
        {url && (
          <span className={tableStyles.sub}>
            <OutsideLink href={url}>details</OutsideLink>
          </span>
        )}
      </td>
    </tr>
  );
}

/** Every deployment of a component that was reported, the newest first. */
export function DeploymentsSection({ component }: { component: string }) {
  const list = useDeployments(component);
  const deployments = itemsOf(list.reading.data);
  return (
    <Section title="Deployments">
      <RegistryState
        reading={list.reading}
        subject="The deployments"
        lines={2}
      />
      {list.reading.data && deployments.length === 0 && (
        <Empty title="No deployment was reported yet">
          Let the pipeline call <code>rocket-ci deploy start</code> before and{' '}
          <code>rocket-ci deploy finish</code> after it deploys.
        </Empty>
      )}
      {deployments.length > 0 && (
        <ScrollRegion label="Deployments, table" className={tableStyles.box}>
          <table className={`${tableStyles.table} ${styles.wide}`}>
            <caption className={tableStyles.caption}>
              Deployments, the newest first
            </caption>
            <thead>
              <tr>
                <th scope="col">Version</th>
                <th scope="col">Environment</th>
                <th scope="col">Outcome</th>
                <th scope="col">Begun</th>
                <th scope="col">By</th>
                <th scope="col">Replaced</th>
              </tr>
            </thead>
            <tbody>
              {deployments.map(deployment => (
                <Row key={deployment.id} deployment={deployment} />
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
      <MoreButton list={list} what="deployments" />
    </Section>
  );
}
