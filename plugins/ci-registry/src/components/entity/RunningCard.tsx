import { useEntity } from '@backstage/plugin-catalog-react';
import type {
  CommitReport,
  RunningVersion,
} from '@rocket/plugin-ci-registry-common';
import { ButtonLink, Text } from '@backstage/ui';
import { RiArrowGoBackLine, RiLoader4Line } from '@remixicon/react';
import {
  formatCount,
  formatTimestamp,
  paletteClass,
  useEntityHref,
  Ago,
  Facts,
} from '@rocket/rocket-react';
import { behindText, coverageText } from '../../lib/builds';
import { CommitLink, Digest, PipelineName } from '../shared/Source';
import styles from './Versions.module.css';

/** The annotation by which provisioning knows what it runs; see `provisioning-common`. */
const ANNOTATION_RUNTIME = 'rocket.internal/runtime';

/** Address of the page that operates the component, where there is one. */
export function useRuntimeHref(): string | undefined {
  const { entity } = useEntity();
  const { kind, metadata } = entity;
  const href = useEntityHref()(
    `${kind}:${metadata.namespace ?? 'default'}/${metadata.name}`,
  );
  return href && metadata.annotations?.[ANNOTATION_RUNTIME] === 'local'
    ? `${href}/runtime`
    : undefined;
}

/** A deployment that is under way, in one line. */
export function UnderWay({
  deployment,
}: {
  deployment: NonNullable<RunningVersion['inProgress']>;
}) {
  return (
    <div className={`${paletteClass} ${styles.underWay}`}>
      <RiLoader4Line size={16} className={styles.turning} aria-hidden="true" />
      <span>
        <strong>{deployment.version}</strong> is being deployed, begun{' '}
        <Ago at={deployment.startedAt} />, by{' '}
        <PipelineName pipeline={deployment.pipeline} />
      </span>
    </div>
  );
}

function Commits(props: {
  commits: CommitReport[];
  repository: string;
  what: string;
}) {
  const { commits, repository, what } = props;
  return (
    <details className={styles.commits}>
      <summary>
        {formatCount(commits.length)}{' '}
        {commits.length === 1 ? 'commit' : 'commits'} {what}
      </summary>
      <ol>
        {commits.map(commit => (
          <li key={commit.sha}>
            <CommitLink repository={repository} sha={commit.sha} />
            <span>
              {commit.subject ?? 'without a message'}
              {commit.author && ` (${commit.author})`}
            </span>
          </li>
        ))}
      </ol>
    </details>
  );
}

function Difference({ running }: { running: RunningVersion }) {
  const { difference, deployment } = running;
  const { repository } = deployment;
  const { added, removed, digests, lineCoverage } = difference!;
  const coverage = coverageText(lineCoverage);
  return (
    <>
      {added === null && removed === null && (
        <div>its commits were not reported</div>
      )}
      {added && added.length > 0 && (
        <Commits commits={added} repository={repository} what="more" />
      )}
      {removed && removed.length > 0 && (
        <Commits commits={removed} repository={repository} what="taken back" />
      )}
      {added?.length === 0 && !removed?.length && <div>the same commits</div>}
      {coverage && <div>{coverage}</div>}
      {digests.map(({ name, before, after }) => (
        <div key={name}>
          {name}: {before ? <Digest digest={before} /> : 'not reported'} →{' '}
          {after ? <Digest digest={after} /> : 'not reported'}
        </div>
      ))}
    </>
  );
}

/** What runs in one environment, since when, where it came from and how it differs from what was there. */
export function RunningCard({ running }: { running: RunningVersion }) {
  const { deployment, previous, inProgress, build } = running;
  const runtimeHref = useRuntimeHref();
  const behind = behindText(running);
  const digest = deployment.digest ?? build?.artifacts?.[0]?.digest;
  const subject = running.commits.find(
    commit => commit.sha === deployment.commit,
  )?.subject;
  return (
    <li className={styles.card}>
      <div className={styles.head}>
        <Text as="h3" variant="body-large" weight="bold">
          {running.environment}
        </Text>
        <span className={styles.version}>{deployment.version}</span>
      </div>
      {inProgress && <UnderWay deployment={inProgress} />}
      <Facts
        facts={[
          {
            label: 'Since',
            value: (
              <>
                <Ago at={running.since} />, {formatTimestamp(running.since)}
              </>
            ),
          },
          {
            label: 'Commit',
            value: (
              <>
                <CommitLink
                  repository={deployment.repository}
                  sha={deployment.commit}
                />
                {subject && ` ${subject}`}
              </>
            ),
          },
          {
            label: 'Deployed by',
            value: (
              <>
                <PipelineName pipeline={deployment.pipeline} />, as{' '}
                {deployment.reportedBy}
              </>
            ),
          },
          {
            label: 'Artefact',
            value: digest ? <Digest digest={digest} /> : 'digest not reported',
          },
          {
            label: 'Replaced',
            value: previous ? (
              <>
                {previous.version}{' '}
                <CommitLink
                  repository={deployment.repository}
                  sha={previous.commit}
                />
              </>
            ) : (
              'nothing: the first deployment that is known'
            ),
          },
          running.difference && {
            label: 'Difference',
            value: <Difference running={running} />,
          },
          behind !== undefined && { label: 'Standing', value: behind },
        ]}
      />
      {runtimeHref && previous && (
        <div className={styles.foot}>
          <ButtonLink
            href={runtimeHref}
            size="small"
            variant="secondary"
            iconStart={<RiArrowGoBackLine />}
          >
            To the runtime, to go back
          </ButtonLink>
        </div>
      )}
    </li>
  );
}
