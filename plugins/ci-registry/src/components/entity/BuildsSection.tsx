import type { Build } from '@rocket/plugin-ci-registry-common';
import {
  formatCount,
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
import {
  findingsText,
  lineCoverage,
  percentText,
  testCounts,
} from '../../lib/builds';
import { OUTCOMES } from '../../lib/looks';
import { useBuilds } from '../../query/hooks';
import { RegistryState } from '../shared/RegistryState';
import {
  CommitLink,
  Digest,
  OutsideLink,
  PipelineName,
} from '../shared/Source';
import styles from '../shared/parts.module.css';

function NotReported() {
  return <span className={styles.quiet}>not reported</span>;
}

function Tests({ build }: { build: Build }) {
  const counts = testCounts(build);
  if (!counts) {
    return <NotReported />;
  }
  return (
    <>
      {formatCount(counts.passed)} passed
      {counts.failed > 0 && (
        <>
          , <strong>{formatCount(counts.failed)} failed</strong>
        </>
      )}
      {counts.skipped > 0 && (
        <span className={tableStyles.sub}>
          {formatCount(counts.skipped)} skipped
        </span>
      )}
    </>
  );
}

function Coverage({ build }: { build: Build }) {
  const lines = lineCoverage(build);
  const { branches } = build.coverage ?? {};
  if (lines === undefined) {
    return <NotReported />;
  }
  return (
    <>
      {percentText(lines)}
      <span className={tableStyles.sub}>
        {formatCount(build.coverage!.lines!.covered)} of{' '}
        {formatCount(build.coverage!.lines!.total)} lines
      </span>
      {branches && branches.total > 0 && (
        <span className={tableStyles.sub}>
          branches {percentText(branches.covered / branches.total)}
        </span>
      )}
    </>
  );
}

function Scans({ build }: { build: Build }) {
  if (!build.scans || build.scans.length === 0) {
    return <NotReported />;
  }
  return (
    <>
      {build.scans.map(scan => (
        <div key={scan.tool}>
          {findingsText(scan)}
          <span className={tableStyles.sub}>{scan.tool}</span>
        </div>
      ))}
    </>
  );
}

function Artifacts({ build }: { build: Build }) {
  if (!build.artifacts || build.artifacts.length === 0) {
    return <NotReported />;
  }
  return (
    <>
      {build.artifacts.map(({ name, digest, tag, sbom }) => (
        <div key={`${name}@${digest}`}>
          {name}
          {tag && `:${tag}`}
          <span className={tableStyles.sub}>
            <Digest digest={digest} />
          </span>
          {sbom && (
            <span className={tableStyles.sub}>
              <OutsideLink href={sbom.url}>
                {`SBOM, ${sbom.format === 'spdx' ? 'SPDX' : 'CycloneDX'}`}
              </OutsideLink>
              {sbom.components !== undefined &&
                `, ${formatCount(sbom.components)} components`}
            </span>
          )}
        </div>
      ))}
    </>
  );
}

function Row({ build }: { build: Build }) {
  const { startedAt, finishedAt, firstReportedAt } = build;
  return (
    <tr>
      <th scope="row">
        <CommitLink repository={build.repository} sha={build.commit} />
        <span className={tableStyles.sub}>
          {[build.version, build.branch].filter(Boolean).join(' · ')}
        </span>
        <span className={tableStyles.sub}>
          <PipelineName pipeline={build.url ?? build.pipeline} />
        </span>
      </th>
      <td>
        <ToneBadge subject="Outcome" {...OUTCOMES[build.outcome]} />
        <span className={tableStyles.sub}>
          <Ago at={startedAt ?? firstReportedAt} />
          {startedAt &&
            finishedAt &&
            `, took ${formatSpan(secondsBetween(startedAt, finishedAt)).text}`}
        </span>
      </td>
      <td>
        <Tests build={build} />
      </td>
      <td>
        <Coverage build={build} />
      </td>
      <td>
        <Scans build={build} />
      </td>
      <td>
        <Artifacts build={build} />
      </td>
    </tr>
  );
}

/** Every build of a component that was reported, the newest first. */
export function BuildsSection({ component }: { component: string }) {
  const list = useBuilds(component);
  const builds = itemsOf(list.reading.data);
  return (
    <Section title="Builds">
      <RegistryState reading={list.reading} subject="The builds" lines={2} />
      {list.reading.data && builds.length === 0 && (
        <Empty title="No build was reported yet">
          Let the pipeline call <code>rocket-ci report</code> with its coverage,
          test and scan files.
        </Empty>
      )}
      {builds.length > 0 && (
        <ScrollRegion label="Builds, table" className={tableStyles.box}>
          <table className={`${tableStyles.table} ${styles.wide}`}>
            <caption className={tableStyles.caption}>
              Builds, the newest first
            </caption>
            <thead>
              <tr>
                <th scope="col">Commit</th>
                <th scope="col">Outcome</th>
                <th scope="col">Tests</th>
                <th scope="col">
                  Coverage
                  <span className={tableStyles.hint}>lines</span>
                </th>
                <th scope="col">
                  Scans
                  <span className={tableStyles.hint}>findings</span>
                </th>
                <th scope="col">Artefacts</th>
              </tr>
            </thead>
            <tbody>
              {builds.map(build => (
                <Row key={build.id} build={build} />
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
      <MoreButton list={list} what="builds" />
    </Section>
  );
}
